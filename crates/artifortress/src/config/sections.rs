//! The table of settings, section by section. To add one: write its line here; flag, variable, file
//! key, check and reference follow.

use std::net::SocketAddr;
use std::path::PathBuf;

use model::{Network, Secret};
use registry::{MAX_PENDING_JOBS, MAX_UPLOAD_SESSIONS};

use super::place::{BaseUrl, BlobPlace, DatabaseUrl, Origin};
use super::setting::{Secrecy, Setting, section};
use super::value::{EnvironmentName, LogFilter, LogFormat, MasterKey, Value};

section! {
    /// What the program as a whole needs to know.
    Server in "" {
        /// The folder of everything kept on this machine: database, blobs, keys, lock. One process owns it.
        data: PathBuf = "./data" { fixed_variable: Some("ARTIFORTRESS_DATA_DIR") };
        /// Where clients connect.
        listen: SocketAddr = "127.0.0.1:8080";
        /// Where operators connect: metrics, health. Empty turns it off.
        ops_listen: Option<SocketAddr> = "127.0.0.1:9464" { may_be_empty: true };
        /// Stamped into database and bucket at first use; another name is then refused, so that
        /// environments never share data.
        environment: EnvironmentName = "development";
        /// The address under which clients reach this server, where it differs from what they send.
        external_url: Option<BaseUrl> = "" { otherwise: "as the client asked" };
        /// Proxies whose `X-Forwarded-*` headers are believed.
        trusted_proxies: Vec<Network> = "" { may_be_empty: true };
        /// Networks that upstreams of remote repositories may be in although they are not public, such as
        /// `10.0.0.0/8`; all others that are not public are refused.
        private_upstreams: Vec<Network> = "" { may_be_empty: true };
        /// Tells browsers to use HTTPS only, for a year.
        hsts: bool = "false";
        /// Seals credentials that must be shown to others again: those for upstreams. 32 bytes in hex or base64. With
        /// PostgreSQL every process needs the same one.
        master_key: Option<MasterKey> = "" {
            secrecy: Secrecy::Secret, otherwise: "made once, in `<data>/master-key` (SQLite)"
        };
        /// Exchanged once for the first admin token, while no principal exists.
        bootstrap_token: Option<Secret<String>> = "" {
            secrecy: Secrecy::Secret, otherwise: "random, in `<data>/bootstrap-token` (SQLite)"
        };
    }
}

section! {
    /// The metadata.
    Database in "database" {
        /// Where the truth lives.
        url: Option<DatabaseUrl> = "" {
            secrecy: Secrecy::MayHoldPassword, otherwise: "`sqlite:<data>/artifortress.db`"
        };
        /// PostgreSQL connections of one process.
        pool_size: u32 = "16" { range: Some((1, 500)) };
    }
}

section! {
    /// The bytes.
    Blobs in "blobs" {
        /// Where the bytes live.
        place: Option<BlobPlace> = "" {
            fixed_variable: Some("ARTIFORTRESS_BLOBS"), fixed_flag: Some("blobs"), otherwise: "`file:<data>/blobs`"
        };
        /// Blobs up to this size (KiB) are committed inside the database and spilled into packs later; 0 turns it off.
        inline_limit_kib: u32 = "64" { range: Some((0, 1024)) };
    }
}

section! {
    /// Access to S3-compatible object storage; used when the blobs live in a bucket.
    S3 in "s3" {
        /// Names the key.
        access_key_id: Option<Secret<String>> = "" {
            secrecy: Secrecy::Secret, fixed_variable: Some("AWS_ACCESS_KEY_ID")
        };
        /// The key.
        secret_access_key: Option<Secret<String>> = "" {
            secrecy: Secrecy::Secret, fixed_variable: Some("AWS_SECRET_ACCESS_KEY")
        };
        /// Goes with short-lived keys.
        session_token: Option<Secret<String>> = "" {
            secrecy: Secrecy::Secret, fixed_variable: Some("AWS_SESSION_TOKEN")
        };
        /// The bucket's region.
        region: String = "us-east-1" { fixed_variable: Some("AWS_REGION") };
        /// The storage's address, where it is not the region's own.
        endpoint: Option<BaseUrl> = "" { fixed_variable: Some("AWS_ENDPOINT_URL"), otherwise: "the region's own" };
    }
}

section! {
    /// Upload sessions.
    Upload in "upload" {
        /// Minutes until an unfinished session expires.
        session_minutes: u64 = "60" { range: Some((5, 10_080)) };
        /// The largest single file (GiB).
        max_length_gib: u64 = "512" { range: Some((1, 65_536)) };
        /// Whether parts go straight to object storage through presigned addresses.
        presigned_parts: bool = "false";
        /// Seconds that a part's upload address stays valid.
        part_ttl_seconds: u64 = "900" { range: Some((60, 3600)) };
    }
}

section! {
    /// Downloads.
    Download in "download" {
        /// Memory (MiB) that all downloads together may use for read-ahead.
        buffer_mib: u32 = "256" { range: Some((16, 65_536)) };
        /// Whether large reads from object storage are redirected to presigned addresses. These bytes
        /// are not checked block by block and leave quarantine's promise.
        presigned: bool = "false";
        /// Seconds that such an address stays valid.
        presigned_ttl_seconds: u64 = "60" { range: Some((5, 60)) };
    }
}

section! {
    /// Limits of one connection.
    Http in "http" {
        /// Seconds for a request's head to arrive.
        header_seconds: u64 = "15" { range: Some((1, 300)) };
        /// Seconds without a byte after which a body is given up, in either direction.
        body_idle_seconds: u64 = "30" { range: Some((1, 3600)) };
        /// Seconds that a connection may wait for its next request.
        idle_seconds: u64 = "75" { range: Some((1, 3600)) };
        /// Seconds that requests under way get to finish when the server stops.
        drain_seconds: u64 = "30" { range: Some((0, 3600)) };
        /// Connections open at once; more wait.
        max_connections: u32 = "10000" { range: Some((1, 1_000_000)) };
    }
}

section! {
    /// TLS of the listener; both or neither. The files are read again when they change.
    Tls in "tls" {
        /// The certificate chain (PEM).
        cert: Option<PathBuf> = "";
        /// Its private key (PEM).
        key: Option<PathBuf> = "";
    }
}

section! {
    /// Browsers of other origins.
    Cors in "cors" {
        /// Origins that may call the API.
        origins: Vec<Origin> = "" { may_be_empty: true };
    }
}

section! {
    /// Limits by principal, else by client address.
    Rate in "rate" {
        /// Requests a minute; 0 turns the limit off.
        requests_per_minute: u32 = "6000" { range: Some((0, 10_000_000)) };
        /// Logins that are tried a minute from one client address; 0 turns the limit off.
        logins_per_minute: u32 = "20" { range: Some((0, 1_000_000)) };
    }
}

section! {
    /// Published versions.
    Versions in "versions" {
        /// Hours after which a published version takes no more entries.
        seal_after_hours: u64 = "24" { range: Some((1, 8760)) };
        /// Seconds without news after which a deployment to a repository with `atomicDeploy` appears by itself.
        deploy_quiet_seconds: u64 = "60" { range: Some((1, 86400)) };
    }
}

section! {
    /// Deletion.
    Lifecycle in "lifecycle" {
        /// Days that a tombstoned version can be restored.
        tombstone_retention_days: u64 = "30" { range: Some((1, 3650)) };
    }
}

section! {
    /// Background work.
    Worker in "worker" {
        /// Jobs claimed at once.
        batch_size: u32 = "100" { range: Some((1, 5000)) };
        /// Seconds between looks for work when there was none.
        poll_seconds: u64 = "1" { range: Some((1, 3600)) };
        /// Seconds after which a claimed job may be claimed by another worker.
        lease_seconds: u64 = "60" { range: Some((10, 86_400)) };
        /// Attempts before a job becomes a dead letter.
        max_attempts: u32 = "5" { range: Some((1, 100)) };
    }
}

section! {
    /// What a tenant may use until its own policy says otherwise.
    Quota in "quota" {
        /// Bytes stored and being uploaded (GiB).
        default_storage_gib: u64 = "50" { range: Some((1, 1_048_576)) };
        /// Upload sessions open at once.
        max_upload_sessions: u32 = "1000" { range: Some((1, MAX_UPLOAD_SESSIONS)) };
        /// Jobs waiting.
        max_pending_jobs: u32 = "5000" { range: Some((1, MAX_PENDING_JOBS)) };
    }
}

section! {
    /// Personal access tokens.
    Tokens in "tokens" {
        /// Minutes that a token lives when its maker names no time.
        default_ttl_minutes: u64 = "1440" { range: Some((5, 10_080)) };
        /// Minutes that a token may live at most, until the tenant's policy says otherwise.
        max_ttl_minutes: u64 = "10080" { range: Some((5, 10_080)) };
    }
}

section! {
    /// Logs, on standard error.
    Log in "log" {
        /// Which lines are written.
        filter: LogFilter = "info" { fixed_variable: Some("ARTIFORTRESS_LOG"), fixed_flag: Some("log") };
        /// How they are written.
        format: LogFormat = "auto";
    }
}
