//! The states that nouns pass through, and the words for their kinds.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word used in the database and in the API.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The value that `word` names.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// How a repository gets its content.
    RepoKind {
        /// Hosted here.
        Local = "local",
        /// A proxy of an upstream.
        Remote = "remote",
        /// An ordered list of members.
        Virtual = "virtual",
    }
}

words! {
    /// The life of a version.
    VersionState {
        /// Being put together; visible to writers only.
        Draft = "draft",
        /// Visible and immutable.
        Published = "published",
        /// Withdrawn; kept until its retention ends and restorable until then.
        Tombstoned = "tombstoned",
        /// Its bytes are gone; its coordinate stays occupied for ever.
        Collected = "collected",
    }
}

words! {
    /// The life of an upload session.
    UploadState {
        /// Open, nothing received yet.
        Initiated = "initiated",
        /// Open, at least one part received or handed out.
        PartsUploading = "parts_uploading",
        /// The list of parts is fixed; the bytes await verification.
        PendingCommit = "pending_commit",
        /// Verified: the blob is stored and pinned for the repository.
        Committed = "committed",
        /// Given up, failed verification or expired.
        Aborted = "aborted",
    }
}

impl UploadState {
    /// Whether the session still counts against the quota and can still change.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Initiated | Self::PartsUploading | Self::PendingCommit)
    }
}

words! {
    /// Where the bytes of a copy live.
    CopyKind {
        /// A file of its own in the blob folder.
        File = "file",
        /// An object of its own in the bucket.
        Object = "object",
        /// A stretch of a pack file or pack object.
        Pack = "pack",
        /// A row of the database.
        Inline = "inline",
    }
}

words! {
    /// What is known of a copy's bytes.
    CopyState {
        /// As good as when it was written, as far as we know.
        Good = "good",
        /// A checksum did not match: never served.
        Damaged = "damaged",
    }
}

words! {
    /// A mark on a version or on one of its entries.
    MarkKind {
        /// Not chosen by resolvers any more, still downloadable.
        Yanked = "yanked",
        /// Discouraged, with a text.
        Deprecated = "deprecated",
        /// Left out of lists.
        Unlisted = "unlisted",
    }
}

words! {
    /// The life of a job.
    JobState {
        /// Waiting for its time or for a worker.
        Ready = "ready",
        /// Claimed by a worker until its lease ends.
        Running = "running",
        /// Failed too often: waits for a person.
        Dead = "dead",
    }
}

words! {
    /// What kind of principal acts.
    PrincipalKind {
        /// A human.
        Person = "person",
        /// A machine account managed here.
        Service = "service",
        /// A workload that proves itself elsewhere.
        Workload = "workload",
        /// Artifortress itself.
        System = "system",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_their_values() {
        for state in VersionState::ALL {
            assert_eq!(VersionState::from_word(state.word()), Some(*state));
        }
        assert_eq!(VersionState::from_word("Published"), None);
        assert!(UploadState::PendingCommit.is_open());
        assert!(!UploadState::Aborted.is_open());
    }
}
