//! What curl is told.

use crate::{Place, Setup};

pub(super) fn all(place: &Place<'_>) -> Vec<Setup> {
    let url = place.url();
    let mut commands = format!(r#"curl -fsS -H "Authorization: Bearer $TOKEN" {url}/greetings/hello.txt"#);
    if place.takes {
        let store = format!(
            r#"printf 'hello\n' > hello.txt
curl -fsS -H "Authorization: Bearer $TOKEN" -T hello.txt {url}/greetings/hello.txt
"#
        );
        commands.insert_str(0, &store);
    }
    vec![Setup::new(&["curl"], "shell", commands)]
}
