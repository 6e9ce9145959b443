//! The wish that everything comes to an end.

use tokio::sync::watch;

/// Turns over once, when the sender says `true` or is gone.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl From<watch::Receiver<bool>> for Shutdown {
    fn from(receiver: watch::Receiver<bool>) -> Self {
        Self(receiver)
    }
}

impl Shutdown {
    /// Whether it is time.
    pub(crate) fn is_called(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits until it is.
    pub(crate) async fn called(&mut self) {
        drop(self.0.wait_for(|over| *over).await);
    }
}
