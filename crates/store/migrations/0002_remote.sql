-- When a service account was deleted, for good: it is never enabled again. Before there was this, disabled was for good.
ALTER TABLE principals ADD COLUMN deleted_at INT CHECK (deleted_at IS NULL OR disabled_at IS NOT NULL);
UPDATE principals SET deleted_at = disabled_at WHERE kind = 'service';

-- What upstreams answered, each answer once. digest: the bytes as they came, without their content coding; NULL: the
-- upstream has no such thing. address: where they came from, redirects followed.
CREATE TABLE observations (
    id UUID NOT NULL PRIMARY KEY,
    repo_id UUID NOT NULL REFERENCES repositories (id),
    target NAME NOT NULL,
    digest BYTES REFERENCES blobs (digest) ON DELETE RESTRICT,
    length INT NOT NULL CHECK (length >= 0),
    media_type NAME NOT NULL,
    address TEXT NOT NULL,
    etag TEXT,
    changed_at INT,
    seen_at INT NOT NULL
) STRICT;
CREATE INDEX observations_by_target ON observations (repo_id, target, seen_at);
CREATE INDEX observations_by_digest ON observations (digest) WHERE digest IS NOT NULL;

-- The answer that holds now, and when the upstream last said so.
CREATE TABLE outlooks (
    repo_id UUID NOT NULL REFERENCES repositories (id),
    target NAME NOT NULL,
    observation_id UUID NOT NULL REFERENCES observations (id),
    checked_at INT NOT NULL,
    PRIMARY KEY (repo_id, target)
) SMALL;

-- Questions to upstreams that a process has in hand right now, so that others wait for it instead of asking too. Only
-- where processes share the database.
CREATE TABLE flights (
    repo_id UUID NOT NULL REFERENCES repositories (id),
    name NAME NOT NULL,
    holder UUID NOT NULL,
    until INT NOT NULL,
    PRIMARY KEY (repo_id, name)
) SMALL;
