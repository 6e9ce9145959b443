-- What remote repositories have of their upstreams in files and objects of their own, one row for each content; what
-- is small and lies in the database or in a pack has none. used_at: when it was last read, to about an hour; a counter.
-- evicted_at: the repository has let go of it and holds nothing of the bytes allowance for its entries; its bytes may be
-- gone, and come from the upstream again.
CREATE TABLE cached (
    repo_id UUID NOT NULL REFERENCES repositories (id),
    digest BYTES NOT NULL REFERENCES blobs (digest) ON DELETE RESTRICT,
    size INT NOT NULL CHECK (size >= 0),
    cached_at INT NOT NULL,
    used_at INT NOT NULL,
    evicted_at INT,
    PRIMARY KEY (repo_id, digest)
) SMALL;
CREATE INDEX cached_by_use ON cached (repo_id, used_at, digest) WHERE evicted_at IS NULL;
CREATE INDEX cached_by_age ON cached (repo_id, cached_at, digest) WHERE evicted_at IS NULL;
CREATE INDEX blobs_condemned ON blobs (condemned_at) WHERE condemned_at IS NOT NULL;

INSERT INTO cached (repo_id, digest, size, cached_at, used_at)
SELECT e.repo_id, e.digest, max(e.size), min(e.added_at), max(e.added_at)
FROM entries e JOIN repositories r ON r.id = e.repo_id
WHERE r.kind = 'remote' AND EXISTS (SELECT 1 FROM copies c
    WHERE c.digest = e.digest AND c.state = 'good' AND c.kind IN ('file', 'object'))
GROUP BY e.repo_id, e.digest;
