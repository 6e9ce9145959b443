//! The command line pushes what the server has lost, although its path is there.

use acceptance::Result;
use bytes::Bytes;
use serde_json::Value;

use super::noise;
use crate::engines::both;
use crate::site::{Site, ensure, program};

both! {
    what_was_lost_is_pushed_again;
}

async fn what_was_lost_is_pushed_again() -> Result<()> {
    let site = Site::here().await?;
    site.server.repository("files", "raw").await?;
    let folder = acceptance::scratch::folder("pushed")?;
    // What is asked for before it is sent, and what is sent at once.
    let files = [("large", noise(2_500_000, 1)), ("middle", noise(200_000, 2)), ("nothing", Bytes::new())];
    for (name, bytes) in &files {
        std::fs::write(folder.join(name), bytes)?;
    }
    let words = ["push", "files", &folder.display().to_string(), "--to", "x", "--json"];
    let push = || -> Result<Vec<String>> {
        let done = program(&site.server, site.admin.token(), &words)?;
        let told: Value = serde_json::from_str(&String::from_utf8_lossy(&done.stdout))?;
        let files = told["files"].as_array().cloned().unwrap_or_default();
        Ok(files.iter().map(|file| file["state"].as_str().unwrap_or_default().to_owned()).collect())
    };
    ensure(push()? == ["stored", "stored", "stored"], "pushed")?;
    ensure(push()? == ["unchanged", "unchanged", "unchanged"], "it is there")?;
    let places = site.server.sql("SELECT place FROM copies WHERE kind <> 'inline'")?;
    ensure(places.lines().count() == 2, &places)?;
    for place in places.lines() {
        std::fs::remove_file(site.server.blobs().join(place))?;
    }
    let mut states = push()?;
    states.sort();
    ensure(states == ["stored", "stored", "unchanged"], format!("{states:?}"))?;
    for (name, bytes) in files {
        let read = site.admin.get(&format!("/repository/files/x/{name}")).send().await?.expect(&[200])?;
        ensure(read.body == bytes, name)?;
    }
    Ok(())
}
