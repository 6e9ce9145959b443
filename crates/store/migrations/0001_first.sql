-- One text for both engines. INT, NAME, BYTES, BOOL and UUID stand for each engine's types, STRICT
-- and SMALL for SQLite's table options (see src/migrate.rs). NAME compares by bytes. Times are INT:
-- microseconds since 1970. JSON is TEXT, kept as it came. What every publish inserts has its words
-- checked with OR: SQLite builds a table for an IN of three or more, each time.

-- What the database says of itself: environment, instance.
CREATE TABLE meta (
    key NAME NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) SMALL;

-- Counters raised by every change of who may do what ('auth') and of repositories ('config').
CREATE TABLE epochs (
    name NAME NOT NULL PRIMARY KEY,
    value INT NOT NULL
) SMALL;
INSERT INTO epochs (name, value) VALUES ('auth', 1), ('config', 1);

CREATE TABLE tenants (
    id UUID NOT NULL PRIMARY KEY,
    slug NAME NOT NULL UNIQUE,
    created_at INT NOT NULL
) STRICT;

-- People, service accounts, workloads. issuer and external_id: those who sign in elsewhere.
CREATE TABLE principals (
    id UUID NOT NULL PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    kind NAME NOT NULL CHECK (kind IN ('person', 'service', 'workload', 'system')),
    subject NAME NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    issuer NAME,
    external_id NAME,
    created_at INT NOT NULL,
    disabled_at INT,
    UNIQUE (tenant_id, subject),
    UNIQUE (issuer, external_id)
) STRICT;

-- Only hashes of secrets. scopes: JSON [{"scope", "basis": "grant" | "binding"}].
CREATE TABLE tokens (
    id UUID NOT NULL PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    principal_id UUID NOT NULL REFERENCES principals (id),
    hash BYTES NOT NULL UNIQUE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    parent_id UUID REFERENCES tokens (id),
    created_by NAME NOT NULL,
    created_at INT NOT NULL,
    expires_at INT NOT NULL,
    revoked_at INT,
    CHECK (expires_at > created_at)
) STRICT;
CREATE INDEX tokens_by_principal ON tokens (principal_id, created_at);
CREATE INDEX tokens_by_parent ON tokens (parent_id) WHERE parent_id IS NOT NULL;

-- A counter, not an event: written in batches.
CREATE TABLE token_uses (
    token_id UUID NOT NULL PRIMARY KEY REFERENCES tokens (id),
    last_used_at INT NOT NULL
) SMALL;

-- Logins that somebody said yes to in a browser and whose client has not fetched its token yet: one a token.
CREATE TABLE logins (
    code BYTES NOT NULL PRIMARY KEY,
    token_id UUID NOT NULL UNIQUE REFERENCES tokens (id),
    expires_at INT NOT NULL
) SMALL;

-- The single-use token that makes the first admin.
CREATE TABLE bootstrap (
    tenant_id UUID NOT NULL PRIMARY KEY REFERENCES tenants (id),
    hash BYTES NOT NULL,
    created_at INT NOT NULL,
    used_at INT
) SMALL;

CREATE TABLE pat_policies (
    tenant_id UUID NOT NULL PRIMARY KEY REFERENCES tenants (id),
    max_ttl_minutes INT NOT NULL CHECK (max_ttl_minutes BETWEEN 5 AND 10080),
    updated_by NAME NOT NULL,
    updated_at INT NOT NULL
) SMALL;

CREATE TABLE tenant_bindings (
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    subject NAME NOT NULL,
    role NAME NOT NULL CHECK (role IN ('admin', 'operator', 'auditor')),
    created_by NAME NOT NULL,
    created_at INT NOT NULL,
    PRIMARY KEY (tenant_id, subject, role)
) SMALL;

CREATE TABLE admission_policies (
    tenant_id UUID NOT NULL PRIMARY KEY REFERENCES tenants (id),
    max_storage_bytes INT NOT NULL CHECK (max_storage_bytes >= 10485760),
    max_upload_sessions INT NOT NULL CHECK (max_upload_sessions BETWEEN 1 AND 1000),
    max_pending_jobs INT NOT NULL CHECK (max_pending_jobs BETWEEN 1 AND 50000),
    updated_by NAME NOT NULL,
    updated_at INT NOT NULL
) SMALL;

-- What is used of each allowance, split in shards that each hold a share of the limit, so that
-- writers rarely meet on one row and the sum can still never exceed the limit.
CREATE TABLE allowances (
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    kind NAME NOT NULL CHECK (kind IN ('bytes', 'sessions')),
    shard INT NOT NULL,
    used INT NOT NULL CHECK (used >= 0),
    share INT NOT NULL,
    PRIMARY KEY (tenant_id, kind, shard)
) SMALL;

-- A key is retired with its repository, never given away again: rows stay.
CREATE TABLE repositories (
    id UUID NOT NULL PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    key NAME NOT NULL,
    format NAME NOT NULL,
    kind NAME NOT NULL CHECK (kind IN ('local', 'remote', 'virtual')),
    description TEXT NOT NULL,
    anonymous_read BOOL NOT NULL,
    upstream_url TEXT,
    upstream_auth BYTES,
    settings TEXT NOT NULL,
    rules TEXT NOT NULL,
    revision INT NOT NULL,
    created_by NAME NOT NULL,
    created_at INT NOT NULL,
    updated_at INT NOT NULL,
    retired_at INT,
    UNIQUE (tenant_id, key)
) STRICT;

CREATE TABLE members (
    repo_id UUID NOT NULL REFERENCES repositories (id),
    position INT NOT NULL,
    member_id UUID NOT NULL REFERENCES repositories (id),
    PRIMARY KEY (repo_id, position),
    UNIQUE (repo_id, member_id)
) STRICT;

CREATE TABLE repo_bindings (
    repo_id UUID NOT NULL REFERENCES repositories (id),
    subject NAME NOT NULL,
    role NAME NOT NULL CHECK (role IN ('read', 'write', 'promote', 'admin')),
    created_by NAME NOT NULL,
    created_at INT NOT NULL,
    PRIMARY KEY (repo_id, subject, role)
) SMALL;
CREATE INDEX repo_bindings_by_subject ON repo_bindings (subject);

-- name is the normalised name, display_name what people typed. generation: raised by the last
-- statement of each transaction that changes what readers see of the package.
CREATE TABLE packages (
    id UUID NOT NULL PRIMARY KEY,
    repo_id UUID NOT NULL REFERENCES repositories (id),
    type NAME NOT NULL,
    namespace NAME NOT NULL,
    name NAME NOT NULL,
    display_name TEXT NOT NULL,
    generation INT NOT NULL,
    created_at INT NOT NULL,
    UNIQUE (repo_id, name, namespace)
) SMALL;
CREATE INDEX packages_by_namespace ON packages (repo_id, namespace) WHERE namespace <> '';

CREATE TABLE versions (
    id UUID NOT NULL PRIMARY KEY,
    repo_id UUID NOT NULL REFERENCES repositories (id),
    package_id UUID NOT NULL REFERENCES packages (id),
    version NAME NOT NULL,
    state NAME NOT NULL
        CHECK (state = 'draft' OR state = 'published' OR state = 'tombstoned' OR state = 'collected'),
    created_by NAME NOT NULL,
    created_at INT NOT NULL,
    published_by NAME,
    published_at INT,
    published_event UUID,
    sealed_at INT,
    UNIQUE (package_id, version),
    CHECK (state <> 'published' OR (published_at IS NOT NULL AND published_by IS NOT NULL AND published_event IS NOT NULL))
) SMALL;

CREATE INDEX versions_by_package ON versions (package_id, id);

-- A blob is its digest and length. condemned_at: the first transaction of collection was here.
CREATE TABLE blobs (
    digest BYTES NOT NULL PRIMARY KEY,
    length INT NOT NULL CHECK (length >= 0),
    created_at INT NOT NULL,
    condemned_at INT
) SMALL;

-- The format's metadata, verbatim.
CREATE TABLE manifests (
    version_id UUID NOT NULL PRIMARY KEY REFERENCES versions (id),
    body TEXT NOT NULL,
    blob_digest BYTES REFERENCES blobs (digest) ON DELETE RESTRICT,
    updated_at INT NOT NULL
) STRICT;
CREATE INDEX manifests_by_blob ON manifests (blob_digest) WHERE blob_digest IS NOT NULL;

-- Other digests that name the same bytes.
CREATE TABLE aliases (
    algorithm NAME NOT NULL,
    value BYTES NOT NULL,
    digest BYTES NOT NULL REFERENCES blobs (digest),
    PRIMARY KEY (algorithm, value)
) SMALL;

-- Where a blob's bytes lie. sums: one 8-byte checksum per MiB. place: never reused.
CREATE TABLE copies (
    id UUID NOT NULL PRIMARY KEY,
    digest BYTES NOT NULL REFERENCES blobs (digest),
    kind NAME NOT NULL CHECK (kind = 'file' OR kind = 'object' OR kind = 'pack' OR kind = 'inline'),
    place NAME NOT NULL,
    start INT NOT NULL CHECK (start >= 0),
    sums BYTES NOT NULL,
    state NAME NOT NULL CHECK (state IN ('good', 'damaged')),
    created_at INT NOT NULL
) SMALL;
CREATE INDEX copies_by_digest ON copies (digest);
-- The place of an inline copy is its own id.
CREATE UNIQUE INDEX copies_by_place ON copies (place, start) WHERE kind <> 'inline';
CREATE INDEX copies_damaged ON copies (id) WHERE state = 'damaged';

CREATE TABLE inline_bytes (
    copy_id UUID NOT NULL PRIMARY KEY REFERENCES copies (id),
    bytes BYTES NOT NULL
) STRICT;

-- Places whose rows are gone and whose bytes may be deleted now.
CREATE TABLE trash (
    place NAME NOT NULL PRIMARY KEY,
    created_at INT NOT NULL,
    removed_at INT
) SMALL;
CREATE INDEX trash_waiting ON trash (created_at) WHERE removed_at IS NULL;

-- A path in a version pointing at a blob. location: the path in the repository under which clients
-- fetch it.
CREATE TABLE entries (
    version_id UUID NOT NULL REFERENCES versions (id),
    path NAME NOT NULL,
    repo_id UUID NOT NULL REFERENCES repositories (id),
    location NAME NOT NULL,
    digest BYTES NOT NULL REFERENCES blobs (digest) ON DELETE RESTRICT,
    size INT NOT NULL CHECK (size >= 0),
    sha1 BYTES,
    media_type TEXT,
    attributes TEXT,
    added_at INT NOT NULL,
    added_event UUID,
    PRIMARY KEY (version_id, path)
) SMALL;
CREATE INDEX entries_by_digest ON entries (digest, repo_id);

-- Which version answers at a path of the repository. A path belongs to the first package that
-- published it, for ever; only a repository that allows overwriting lets it move to a later version
-- of the same package.
CREATE TABLE locations (
    repo_id UUID NOT NULL REFERENCES repositories (id),
    path NAME NOT NULL,
    package_id UUID NOT NULL REFERENCES packages (id),
    version_id UUID NOT NULL REFERENCES versions (id),
    entry_path NAME NOT NULL,
    PRIMARY KEY (repo_id, path)
) SMALL;

-- Names that move: an interval each, the open one is in force.
CREATE TABLE refs (
    id UUID NOT NULL PRIMARY KEY,
    package_id UUID NOT NULL REFERENCES packages (id),
    name NAME NOT NULL,
    version_id UUID NOT NULL REFERENCES versions (id),
    from_at INT NOT NULL,
    from_event UUID NOT NULL,
    by_subject NAME NOT NULL,
    to_at INT,
    to_event UUID
) STRICT;
CREATE UNIQUE INDEX refs_in_force ON refs (package_id, name) WHERE to_at IS NULL;
CREATE INDEX refs_history ON refs (package_id, name, from_at);
CREATE INDEX refs_by_version ON refs (version_id);

-- Versions that belong to another version of their package, by that one's name; it need not exist.
CREATE TABLE subjects (
    package_id UUID NOT NULL REFERENCES packages (id),
    subject NAME NOT NULL,
    version_id UUID NOT NULL REFERENCES versions (id),
    PRIMARY KEY (package_id, subject, version_id)
) SMALL;

-- Yanked, deprecated, unlisted: an interval each; path is empty for the whole version.
CREATE TABLE marks (
    id UUID NOT NULL PRIMARY KEY,
    version_id UUID NOT NULL REFERENCES versions (id),
    path NAME NOT NULL,
    kind NAME NOT NULL CHECK (kind IN ('yanked', 'deprecated', 'unlisted')),
    text TEXT NOT NULL,
    from_at INT NOT NULL,
    from_event UUID NOT NULL,
    by_subject NAME NOT NULL,
    to_at INT,
    to_event UUID
) STRICT;
CREATE UNIQUE INDEX marks_in_force ON marks (version_id, path, kind) WHERE to_at IS NULL;

CREATE TABLE tombstones (
    id UUID NOT NULL PRIMARY KEY,
    version_id UUID NOT NULL REFERENCES versions (id),
    reason TEXT NOT NULL,
    by_subject NAME NOT NULL,
    from_at INT NOT NULL,
    from_event UUID NOT NULL,
    retain_until INT NOT NULL,
    to_at INT,
    to_event UUID
) STRICT;
CREATE UNIQUE INDEX tombstones_in_force ON tombstones (version_id) WHERE to_at IS NULL;

-- Bytes received for a repository and not yet entered in a version: kept, and readable there, until
-- then. charged: how much of the bytes allowance they hold, the blob's length; a version that was ever
-- published holds the sum of its entries' sizes and of its manifest's blob instead. Drafts, withdrawn ones
-- too, hold nothing: the pins of what they need stay.
CREATE TABLE pins (
    repo_id UUID NOT NULL REFERENCES repositories (id),
    digest BYTES NOT NULL REFERENCES blobs (digest) ON DELETE RESTRICT,
    until INT NOT NULL,
    charged INT NOT NULL CHECK (charged >= 0),
    PRIMARY KEY (repo_id, digest)
) SMALL;
CREATE INDEX pins_by_digest ON pins (digest);
CREATE INDEX pins_by_time ON pins (until);

-- expected_digest and expected_length: both, or neither where the client tells the digest last and sends the
-- bytes in order. completion: the list of parts that complete fixed, JSON. object_key, object_upload: parts go straight
-- to the object store. busy_until, busy_by: somebody is verifying the bytes until then.
CREATE TABLE uploads (
    id UUID NOT NULL PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    repo_id UUID NOT NULL REFERENCES repositories (id),
    state NAME NOT NULL CHECK (state IN ('initiated', 'parts_uploading', 'pending_commit', 'committed', 'aborted')),
    expected_digest BYTES,
    expected_length INT CHECK (expected_length >= 0),
    deduped BOOL NOT NULL,
    created_by NAME NOT NULL,
    created_at INT NOT NULL,
    expires_at INT NOT NULL,
    ended_at INT,
    reason TEXT,
    completion TEXT,
    object_key NAME,
    object_upload TEXT,
    busy_until INT,
    busy_by UUID,
    CHECK ((expected_digest IS NULL) = (expected_length IS NULL))
) STRICT;
CREATE INDEX uploads_open ON uploads (expires_at) WHERE state IN ('initiated', 'parts_uploading', 'pending_commit');

-- Parts received. A part sent again replaces the row; its old place goes to the trash.
CREATE TABLE upload_parts (
    upload_id UUID NOT NULL REFERENCES uploads (id),
    part_number INT NOT NULL CHECK (part_number BETWEEN 1 AND 10000),
    place NAME NOT NULL UNIQUE,
    length INT NOT NULL CHECK (length >= 0),
    digest BYTES NOT NULL,
    sums BYTES NOT NULL,
    PRIMARY KEY (upload_id, part_number)
) STRICT;

-- The journal. seq is given by the sequencer, once, gapless, in the order in which it saw commits.
CREATE TABLE events (
    id UUID NOT NULL PRIMARY KEY,
    seq INT,
    tenant_id UUID NOT NULL,
    at INT NOT NULL,
    actor NAME NOT NULL,
    action NAME NOT NULL,
    repo_id UUID,
    resource_kind NAME NOT NULL,
    resource_id NAME NOT NULL,
    detail TEXT NOT NULL,
    correlation_id UUID
) SMALL;
-- Publishing pays for the first alone, the sequencer for the others: see docs/decisions/0011-….md.
CREATE INDEX events_unsequenced ON events (at, id) WHERE seq IS NULL;
CREATE UNIQUE INDEX events_by_seq ON events (seq) WHERE seq IS NOT NULL;
CREATE INDEX events_by_resource ON events (resource_id, seq) WHERE seq IS NOT NULL;

-- How far each consumer of the journal has come.
CREATE TABLE consumers (
    name NAME NOT NULL PRIMARY KEY,
    seq INT NOT NULL
) SMALL;

-- again: asked for once more while it was running, so it runs once more when it has finished.
CREATE TABLE jobs (
    id UUID NOT NULL PRIMARY KEY,
    tenant_id UUID NOT NULL,
    kind NAME NOT NULL,
    dedupe NAME NOT NULL,
    payload TEXT NOT NULL,
    state NAME NOT NULL CHECK (state IN ('ready', 'running', 'dead')),
    run_at INT NOT NULL,
    attempts INT NOT NULL,
    fence INT NOT NULL,
    lease_until INT,
    holder NAME,
    again BOOL NOT NULL,
    last_error TEXT,
    created_at INT NOT NULL,
    UNIQUE (kind, dedupe)
) STRICT;
CREATE INDEX jobs_ready ON jobs (run_at) WHERE state = 'ready';
CREATE INDEX jobs_running ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_dead ON jobs (created_at) WHERE state = 'dead';

-- One holder at a time; fence rises with every change of holder.
CREATE TABLE leases (
    name NAME NOT NULL PRIMARY KEY,
    holder NAME NOT NULL,
    fence INT NOT NULL,
    until INT NOT NULL
) SMALL;

-- First answers to requests that carried an Idempotency-Key. status 0: the first request is under way;
-- attempt names who has it in hand, created_at is its last sign of life.
CREATE TABLE idempotency (
    principal_id UUID NOT NULL,
    key NAME NOT NULL,
    request BYTES NOT NULL,
    status INT NOT NULL,
    body TEXT NOT NULL,
    attempt UUID NOT NULL,
    created_at INT NOT NULL,
    PRIMARY KEY (principal_id, key)
) STRICT;
CREATE INDEX idempotency_by_time ON idempotency (created_at);

-- Versions whose files are gathered and appear all at once: their uploader is created_by of the version. until:
-- when they appear although nobody said that they are complete. Drafts without a row here are put together by hand.
-- Other than those, they hold the sum of their entries' sizes of the bytes allowance from the beginning.
CREATE TABLE deployments (
    version_id UUID NOT NULL PRIMARY KEY REFERENCES versions (id),
    until INT NOT NULL
) STRICT;

-- Refs that point at such a version from the moment on in which it appears.
CREATE TABLE deployment_refs (
    version_id UUID NOT NULL REFERENCES deployments (version_id),
    name NAME NOT NULL,
    id UUID NOT NULL,
    fixed BOOL NOT NULL,
    PRIMARY KEY (version_id, name)
) STRICT;
