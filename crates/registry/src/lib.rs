//! The verbs: who may do what, and what happens then. Everything that the server, the workers and
//! the scheduler do goes through here.
//!
//! A [`Call`] is one request: who asks, as of which moment. Only [`Call::authorize`] makes a
//! [`Grant`], and only a grant opens a repository.

mod admins;
mod arrivals;
mod audit;
mod authorize;
mod beat;
mod call;
mod claims;
mod content;
mod copies;
mod entries;
mod error;
mod fetch;
mod folders;
mod hasher;
mod heal;
mod health;
mod hot;
mod idempotency;
mod identity;
mod instant;
mod jobs;
mod letters;
mod logins;
mod look;
mod noted;
mod notes;
mod ops;
mod packaging;
mod presume;
mod registry;
mod remembered;
mod remote;
mod repositories;
mod rules;
mod seal;
mod secret;
mod settings_change;
mod shares;
mod store_file;
mod tenant;
mod then;
mod to_the_end;
mod tokens;
mod uploads;
mod upstreams;
mod uses;
mod versions;
mod virtuals;
mod watch;
mod worker;

pub use store::admission::Limits;
pub use store::audit::{Filter as AuditFilter, Order as AuditOrder};
pub use store::entries::Entry;
pub use store::events::Event;
pub use store::jobs::{DeadLetter, Which as WhichLetters};
pub use store::manifests::Manifest;
pub use store::marks::Mark;
pub use store::packages::{Coordinate, Latest, Package};
pub use store::principals::{ServiceAccount, TenantBinding};
pub use store::refs::{Expected, Ref};
pub use store::repositories::{Binding, Repository};
pub use store::subjects::Belonging;
pub use store::tokens::TokenInfo;
pub use store::tombstones::{Tombstone, Withdrawn};
pub use store::uploads::{Part, Upload};
pub use store::versions::{Drafted, PublishedVersion, Version};

pub use audit::{AuditEvent, Export};
pub use authorize::{
    Access, Admin, Auditor, Grant, Member, Operator, Promote, Read, TenantAccess, TenantAdmin, TenantGrant, Write,
};
pub use beat::{Beat, BeatSettings};
pub use call::Call;
pub use claims::{Checking, Claims};
pub use content::Content;
pub use error::{Error, Result};
pub use fetch::Found;
pub use folders::{Child, ChildKind};
pub use health::Check;
pub use idempotency::{Idempotent, Taken};
pub use identity::{Caller, Identity};
pub use instant::Instant;
pub use logins::{Invitation, LoginCode};
pub use notes::{Seen, keep_notes};
pub use ops::OpsSummary;
pub use packaging::{Receiving, Shown, Taken as TakenIn};
pub use presume::Presumed;
pub use registry::{Outside, Registry, Settings};
pub use remote::{Aged, Brought, BroughtFile, Checked, Coming, Need, Reached, State as BroughtState, Wish};
pub use repositories::{NewRepository, RepoChange, RepoSettings};
pub use rules::{Explanation, Judged, NewWaiver, Question, Rule, Waiver};
pub use secret::{TokenSecret, content_hash, hash_secret};
pub use settings_change::SettingsChange;
pub use shares::Share;
pub use store::publish::Replace;
pub use store_file::{Declared, Incoming, Stored};
pub use tenant::{Admission, MAX_PENDING_JOBS, MAX_UPLOAD_SESSIONS};
pub use tokens::{Minted, PatPolicy, TokenRequest};
pub use uploads::{IncomingBlob, IncomingChunk, IncomingPart, PartOffer, ReceivedPart};
pub use upstreams::{
    Eviction, Origin, RemoteSettings, Sealed, ShownAuth, UpstreamAuth, UpstreamLogin, UpstreamOf, UpstreamSettings,
    UpstreamUrl,
};
pub use versions::{DeclaredEntry, Listed, NewDraft, OnShelf, SearchCursor, SearchFound, SearchQuery, VersionView};
pub use virtuals::{Members, VirtualSettings};
pub use watch::Watch;
pub use worker::{Worker, WorkerSettings};
