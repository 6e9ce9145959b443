-- What the rules of a repository keep out and somebody let in for a while: package is the name as it was given;
-- version NULL: all of them. ended_at: when it was ended before its time.
CREATE TABLE waivers (
    id UUID NOT NULL PRIMARY KEY,
    repo_id UUID NOT NULL REFERENCES repositories (id),
    package NAME NOT NULL,
    version NAME,
    reason TEXT NOT NULL,
    by_subject NAME NOT NULL,
    created_at INT NOT NULL,
    until INT NOT NULL CHECK (until > created_at),
    ended_at INT
) STRICT;
CREATE INDEX waivers_by_repo ON waivers (repo_id, id);
