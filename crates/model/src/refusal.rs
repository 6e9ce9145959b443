//! Why something that was asked for is not done: a stable machine code and a sentence for people.

/// The stable machine codes of the public contract. Each has one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// 400: the request itself is malformed.
    BadRequest,
    /// 401: no valid credentials.
    Unauthorized,
    /// 403: known, allowed to read, but not to do this.
    Forbidden,
    /// 404: absent, or not for this caller to know of.
    NotFound,
    /// 409: contradicts what is there.
    Conflict,
    /// 409: the bytes are not what was announced.
    UploadVerificationFailed,
    /// 410: tombstoned or collected.
    Gone,
    /// 412: a precondition named by the client does not hold.
    PreconditionFailed,
    /// 413: over a size limit.
    PayloadTooLarge,
    /// 416: a range that cannot be had.
    InvalidRange,
    /// 422: well-formed, but it contradicts itself.
    Unprocessable,
    /// 423: protected or under legal hold.
    ArtifactProtected,
    /// 423: quarantined.
    Quarantined,
    /// 423: a policy says no.
    PolicyDenied,
    /// 429: over a rate, session or storage allowance.
    TooManyRequests,
    /// 503: something that we need does not answer.
    ServiceUnavailable,
    /// 503: the policy did not answer in time.
    PolicyTimeout,
    /// 507: the disk is full.
    InsufficientStorage,
}

impl Code {
    /// The word that clients match on.
    pub fn word(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::UploadVerificationFailed => "upload_verification_failed",
            Self::Gone => "gone",
            Self::PreconditionFailed => "precondition_failed",
            Self::PayloadTooLarge => "payload_too_large",
            Self::InvalidRange => "invalid_range",
            Self::Unprocessable => "unprocessable",
            Self::ArtifactProtected => "artifact_protected",
            Self::Quarantined => "quarantined",
            Self::PolicyDenied => "policy_denied",
            Self::TooManyRequests => "too_many_requests",
            Self::ServiceUnavailable => "service_unavailable",
            Self::PolicyTimeout => "policy_timeout",
            Self::InsufficientStorage => "insufficient_storage",
        }
    }

    /// The HTTP status that goes with the code.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict | Self::UploadVerificationFailed => 409,
            Self::Gone => 410,
            Self::PreconditionFailed => 412,
            Self::PayloadTooLarge => 413,
            Self::InvalidRange => 416,
            Self::Unprocessable => 422,
            Self::ArtifactProtected | Self::Quarantined | Self::PolicyDenied => 423,
            Self::TooManyRequests => 429,
            Self::ServiceUnavailable | Self::PolicyTimeout => 503,
            Self::InsufficientStorage => 507,
        }
    }
}

/// What stands behind a refusal, where clients are told of one code in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The name is taken, for ever.
    Taken,
    /// A file is there already, with other bytes.
    OtherBytes,
    /// What is asked for was made from a state that has changed meanwhile: looking again may help.
    Changed,
    /// Nobody publishes to this repository: no other credentials help.
    NotLocal,
}

/// A refusal: nothing was changed, and the caller may be told why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// What a program matches on.
    pub code: Code,
    /// One sentence for a person. Never holds secrets or internals.
    pub detail: String,
    /// What stands behind it, where that matters.
    pub reason: Option<Reason>,
    /// The field of the request that is at fault, where there is one: a path such as `settings.upstream.proxy`.
    pub field: Option<&'static str>,
    /// Of a block: how it ends.
    pub block: Option<Box<Block>>,
    /// After how long asking again may help, where that is known.
    pub retry_after: Option<std::time::Duration>,
}

/// How a block ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Who can lift it, in words.
    pub lifted_by: String,
    /// When it ends by itself.
    pub until: Option<crate::Timestamp>,
    /// Where it is explained: an address on this server, its path and its query.
    pub link: String,
}

impl Refusal {
    /// A refusal with its code and sentence.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), reason: None, field: None, block: None, retry_after: None }
    }

    /// The same, with what stands behind it.
    #[must_use]
    pub fn because(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }

    /// The same, with how the block ends.
    #[must_use]
    pub fn blocked(mut self, block: Block) -> Self {
        self.block = Some(Box::new(block));
        self
    }

    /// The same, with how long to wait before asking again.
    #[must_use]
    pub fn retry_after(mut self, wait: std::time::Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same, with the field that is at fault.
    #[must_use]
    pub fn about(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }
}
