//! How far a wish has come: told at any time, whatever is still under way.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use formats::Named;
use model::EntryPath;

use super::prefetch::{Brought, BroughtFile, FILES, State, here, not_yet, sentence, state_of};
use crate::error::{Error, Result};
use crate::fetch::Found;

/// What is known of a wish so far.
#[derive(Default)]
pub(super) struct Track(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    end: Option<Result<()>>,
    versions: Vec<String>,
    /// By path, in the order in which they were begun.
    files: Vec<Option<BroughtFile>>,
    places: HashMap<String, usize>,
    known: HashSet<Named>,
    full: bool,
}

impl Track {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A version that was meant.
    pub(super) fn chosen(&self, version: String) {
        let mut inner = self.inner();
        if !inner.versions.contains(&version) {
            inner.versions.push(version);
        }
    }

    /// Whether content is to be brought now: the first time that it is named, as long as there is room.
    pub(super) fn begin(&self, content: &Named, path: &EntryPath, name: &str) -> bool {
        let mut inner = self.inner();
        inner.full |= inner.files.len() >= FILES;
        if inner.full || !inner.known.insert(*content) {
            return false;
        }
        inner.put(not_yet(path, name));
        true
    }

    /// It is here.
    pub(super) fn here(&self, path: &EntryPath, state: State, found: &Found) {
        let mut inner = self.inner();
        let name = inner.name_of(path.as_str());
        inner.put(here(path, &name, state, found));
    }

    /// It cannot come.
    pub(super) fn failed(&self, path: &str, name: &str, error: &Error) {
        let (state, detail) = (state_of(error), Some(sentence(error)));
        let (path, name) = (path.to_owned(), name.to_owned());
        let (digest, size, sums) = (None, 0, formats::Sums::default());
        self.inner().put(BroughtFile { path, name, state, detail, digest, size, sums });
    }

    /// It need not come.
    pub(super) fn forget(&self, path: &EntryPath) {
        let mut inner = self.inner();
        if let Some(place) = inner.places.get(path.as_str()).copied() {
            inner.files[place] = None;
        }
    }

    /// Nothing more comes.
    pub(super) fn end(&self, end: Result<()>) {
        self.inner().end = Some(end);
    }

    /// What came of it by now.
    pub(super) fn told(self) -> Brought {
        let Inner { end, versions, files, full, .. } = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let files: Vec<BroughtFile> = files.into_iter().flatten().collect();
        let worst = files.iter().map(|file| file.state).max();
        let (state, detail) = match end {
            None => (State::Coming, None),
            Some(Err(error)) => (state_of(&error), Some(sentence(&error))),
            Some(Ok(())) if full => {
                let why = format!("it has more than {FILES} files: name its versions one by one");
                (State::Refused.max(worst.unwrap_or(State::Refused)), Some(why))
            }
            Some(Ok(())) => (worst.unwrap_or(State::Missing), None),
        };
        Brought { state, detail, versions, files }
    }
}

impl Inner {
    fn put(&mut self, file: BroughtFile) {
        match self.places.get(&file.path) {
            Some(place) => self.files[*place] = Some(file),
            None => {
                self.places.insert(file.path.clone(), self.files.len());
                self.files.push(Some(file));
            }
        }
    }

    fn name_of(&self, path: &str) -> String {
        let file = self.places.get(path).and_then(|place| self.files[*place].as_ref());
        file.map(|file| file.name.clone()).unwrap_or_default()
    }
}
