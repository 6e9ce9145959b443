//! What readiness asks: the database, the bytes, the background work.

use std::sync::Arc;

use registry::Registry;
use server::ops::{Check, Dependency, Health};

/// The dependencies of every process.
pub(super) fn dependencies(registry: &Registry) -> Vec<Arc<dyn Dependency>> {
    let look = |what| Arc::new(Look { registry: registry.clone(), what }) as Arc<dyn Dependency>;
    vec![look(What::Database), look(What::Blobs), look(What::Work)]
}

#[derive(Clone, Copy)]
enum What {
    Database,
    Blobs,
    Work,
}

struct Look {
    registry: Registry,
    what: What,
}

impl Dependency for Look {
    fn name(&self) -> &'static str {
        match self.what {
            What::Database => "database",
            What::Blobs => "blobs",
            What::Work => "work",
        }
    }

    /// Late background work degrades; without database or bytes nothing goes.
    fn essential(&self) -> bool {
        !matches!(self.what, What::Work)
    }

    fn check(&self) -> Check<'_> {
        Box::pin(async {
            let found = match self.what {
                What::Database => self.registry.check_database().await,
                What::Blobs => self.registry.check_blobs().await,
                What::Work => self.registry.check_work().await,
            };
            Health { healthy: found.healthy, detail: found.detail }
        })
    }
}
