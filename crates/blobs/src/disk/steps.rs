//! The calls that durability rests on, each made through one place so that tests see their order and can fail any.

/// One such call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Making the staged file.
    Create,
    /// Writing a portion of it.
    Write,
    /// Waiting until its bytes are on the medium.
    Sync,
    /// Giving it its key.
    Rename,
    /// Waiting until its name is on the medium.
    SyncFolder,
    /// Taking a name away.
    Remove,
}

/// What tests want to know and to spoil; nothing at all in the program.
#[derive(Default)]
pub(crate) struct Steps {
    #[cfg(test)]
    taken: std::sync::Mutex<Vec<Step>>,
    #[cfg(test)]
    broken: std::sync::Mutex<Option<(Step, rustix::io::Errno)>>,
}

impl Steps {
    #[cfg(not(test))]
    pub(crate) fn take<T>(&self, _: Step, call: impl FnOnce() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
        call()
    }

    #[cfg(test)]
    pub(crate) fn take<T>(&self, step: Step, call: impl FnOnce() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
        self.taken.lock().expect("no panic").push(step);
        let broken = *self.broken.lock().expect("no panic");
        match broken.filter(|(broken, _)| *broken == step) {
            Some((_, errno)) => Err(errno),
            None => call(),
        }
    }

    /// The steps since the last question.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> Vec<Step> {
        std::mem::take(&mut *self.taken.lock().expect("no panic"))
    }

    /// From now on `step` fails; `None` heals.
    #[cfg(test)]
    pub(crate) fn fail(&self, step: Option<(Step, rustix::io::Errno)>) {
        *self.broken.lock().expect("no panic") = step;
    }
}
