//! A publish that cannot be, since what it brings is there: what of that was lost takes the bytes, and formats whose clients
//! send a file again when an answer was lost are told that all is well.

use blobs::Key;
use model::{Code, Reason, Refusal};
use store::brought::{BringAgain, Brought};
use store::perform::Perform;
use store::releases::{Bytes, NewFile};

use crate::authorize::{Grant, Write};
use crate::error::Result;
use crate::versions::format_of;

/// What is there of the files of a release.
enum There {
    /// All of them.
    Same,
    /// Other bytes, under this name.
    Other(String),
    /// Not all of them.
    Less,
}

impl Grant<Write> {
    /// After `error`, which left nothing changed: no error where every file is there already, and the format takes that for
    /// a success or one of them had been lost. If one is there with other bytes, that is what formats say which compare,
    /// whatever else is in the way. The bytes at `kept` are taken care of.
    pub(super) async fn settle(&self, perform: &Perform, kept: Vec<Key>, error: store::Error) -> Result<()> {
        let repeats = format_of(self.repo())?.repeats();
        let is_conflict = matches!(&error, store::Error::Refused(refusal) if refusal.code == Code::Conflict);
        let files = perform.release.as_ref().filter(|_| is_conflict).map_or(&[][..], |release| &release.files);
        let there = if files.is_empty() { There::Less } else { self.compare(files).await };
        let error = match there {
            There::Same => {
                let again = BringAgain { repo: self.repo_id(), files: self.brought(files) };
                match self.registry().deposit(again).await {
                    Ok(lost) => return if lost || repeats { Ok(()) } else { Err(error.into()) },
                    Err(store::Error::Refused(_)) => error,
                    Err(why) => why,
                }
            }
            There::Other(name) if repeats => {
                let why = format!("{name} already exists: published files never change");
                store::Error::Refused(Refusal::new(Code::Conflict, why).because(Reason::OtherBytes))
            }
            There::Other(_) | There::Less => error,
        };
        for place in kept {
            self.registry().abandon(Some(place), &error).await;
        }
        Err(error.into())
    }

    async fn compare(&self, files: &[NewFile]) -> There {
        let grant = self.to_read();
        let (mut less, mut others) = (false, Vec::new());
        for file in files {
            match grant.find(&file.location).await {
                Ok(found) if found.digest() == file.bytes.named().0 => {}
                Ok(_) => others.extend(file.location.segments().last()),
                Err(_) => less = true,
            }
        }
        // What belongs to a file has the longer name.
        match others.into_iter().min_by_key(|name| name.len()) {
            Some(name) => There::Other(name.to_owned()),
            None if less => There::Less,
            None => There::Same,
        }
    }

    fn brought(&self, files: &[NewFile]) -> Vec<Brought> {
        let brought = |file: &NewFile| match &file.bytes {
            Bytes::New(blob) => Some(Brought { act: self.act(), path: file.location.clone(), blob: blob.clone() }),
            Bytes::Held { .. } => None,
        };
        files.iter().filter_map(brought).collect()
    }
}
