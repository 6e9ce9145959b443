//! What curl is told.

use crate::{Place, Setup};

pub(super) fn all(place: &Place<'_>) -> Vec<Setup> {
    let url = place.url();
    let commands = format!(
        r#"printf 'hello\n' > hello.txt
curl -fsS -H "Authorization: Bearer $TOKEN" -T hello.txt {url}/greetings/hello.txt
curl -fsS -H "Authorization: Bearer $TOKEN" {url}/greetings/hello.txt"#
    );
    vec![Setup::new(&["curl"], "shell", commands)]
}
