-- Law 3: published is insert-only. The walls, on SQLite. RAISE(ABORT) only: it undoes the statement
-- and leaves the group of transactions standing.

CREATE TRIGGER versions_keep_identity BEFORE UPDATE ON versions
WHEN OLD.state <> 'draft' AND (NEW.id <> OLD.id OR NEW.repo_id <> OLD.repo_id OR NEW.package_id <> OLD.package_id
    OR NEW.version <> OLD.version OR NEW.created_by <> OLD.created_by OR NEW.created_at <> OLD.created_at
    OR NEW.published_by IS NOT OLD.published_by OR NEW.published_at IS NOT OLD.published_at
    OR NEW.published_event IS NOT OLD.published_event
    OR (OLD.sealed_at IS NOT NULL AND NEW.sealed_at IS NOT OLD.sealed_at))
BEGIN SELECT RAISE(ABORT, 'artifortress: a published version never changes'); END;

CREATE TRIGGER versions_keep_order BEFORE UPDATE ON versions
WHEN NOT (NEW.state = OLD.state
    OR (OLD.state = 'draft' AND NEW.state IN ('published', 'tombstoned'))
    OR (OLD.state = 'published' AND NEW.state = 'tombstoned')
    OR (OLD.state = 'tombstoned' AND NEW.state = 'published' AND OLD.published_at IS NOT NULL)
    OR (OLD.state = 'tombstoned' AND NEW.state = 'collected'))
BEGIN SELECT RAISE(ABORT, 'artifortress: a version cannot take that step'); END;

CREATE TRIGGER versions_stay BEFORE DELETE ON versions
BEGIN SELECT RAISE(ABORT, 'artifortress: a coordinate is never freed'); END;

CREATE TRIGGER entries_keep BEFORE UPDATE ON entries
WHEN (SELECT state FROM versions WHERE id = OLD.version_id) <> 'draft'
BEGIN SELECT RAISE(ABORT, 'artifortress: a published entry never changes'); END;

CREATE TRIGGER entries_stay BEFORE DELETE ON entries
WHEN (SELECT state FROM versions WHERE id = OLD.version_id) NOT IN ('draft', 'collected')
BEGIN SELECT RAISE(ABORT, 'artifortress: a published entry is never removed'); END;

CREATE TRIGGER entries_join BEFORE INSERT ON entries
WHEN EXISTS (SELECT 1 FROM versions WHERE id = NEW.version_id
    AND (state IN ('tombstoned', 'collected') OR (state = 'published' AND sealed_at IS NOT NULL)))
BEGIN SELECT RAISE(ABORT, 'artifortress: a sealed version takes no more entries'); END;

CREATE TRIGGER manifests_keep BEFORE UPDATE ON manifests
WHEN (SELECT state FROM versions WHERE id = OLD.version_id) <> 'draft'
BEGIN SELECT RAISE(ABORT, 'artifortress: a published manifest never changes'); END;

CREATE TRIGGER manifests_stay BEFORE DELETE ON manifests
WHEN (SELECT state FROM versions WHERE id = OLD.version_id) <> 'draft'
BEGIN SELECT RAISE(ABORT, 'artifortress: a published manifest is never removed'); END;

CREATE TRIGGER manifests_join BEFORE INSERT ON manifests
WHEN (SELECT state FROM versions WHERE id = NEW.version_id) <> 'draft'
BEGIN SELECT RAISE(ABORT, 'artifortress: a published version takes no manifest'); END;

CREATE TRIGGER events_keep BEFORE UPDATE ON events
WHEN OLD.seq IS NOT NULL OR NEW.seq IS NULL OR NEW.id <> OLD.id OR NEW.tenant_id <> OLD.tenant_id
    OR NEW.at <> OLD.at OR NEW.actor <> OLD.actor OR NEW.action <> OLD.action OR NEW.repo_id IS NOT OLD.repo_id
    OR NEW.resource_kind <> OLD.resource_kind OR NEW.resource_id <> OLD.resource_id OR NEW.detail <> OLD.detail
    OR NEW.correlation_id IS NOT OLD.correlation_id
BEGIN SELECT RAISE(ABORT, 'artifortress: the journal never changes'); END;

CREATE TRIGGER events_stay BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'artifortress: the journal is never shortened'); END;

CREATE TRIGGER packages_keep BEFORE UPDATE ON packages
WHEN NEW.id <> OLD.id OR NEW.repo_id <> OLD.repo_id OR NEW.name <> OLD.name OR NEW.namespace <> OLD.namespace
    OR NEW.type <> OLD.type OR NEW.generation < OLD.generation
BEGIN SELECT RAISE(ABORT, 'artifortress: a package keeps its name'); END;

CREATE TRIGGER packages_stay BEFORE DELETE ON packages
BEGIN SELECT RAISE(ABORT, 'artifortress: a name is never freed'); END;

CREATE TRIGGER repositories_keep BEFORE UPDATE ON repositories
WHEN NEW.id <> OLD.id OR NEW.tenant_id <> OLD.tenant_id OR NEW.key <> OLD.key OR NEW.format <> OLD.format
    OR NEW.kind <> OLD.kind OR (OLD.retired_at IS NOT NULL AND NEW.retired_at IS NOT OLD.retired_at)
BEGIN SELECT RAISE(ABORT, 'artifortress: a repository keeps its key'); END;

CREATE TRIGGER repositories_stay BEFORE DELETE ON repositories
BEGIN SELECT RAISE(ABORT, 'artifortress: a repository key is retired, never freed'); END;

CREATE TRIGGER locations_keep BEFORE UPDATE ON locations
WHEN NEW.repo_id <> OLD.repo_id OR NEW.path <> OLD.path OR NEW.package_id <> OLD.package_id
BEGIN SELECT RAISE(ABORT, 'artifortress: a path stays with its package'); END;

CREATE TRIGGER locations_stay BEFORE DELETE ON locations
BEGIN SELECT RAISE(ABORT, 'artifortress: a path is never freed'); END;

CREATE TRIGGER refs_keep BEFORE UPDATE ON refs
WHEN OLD.to_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.package_id <> OLD.package_id OR NEW.name <> OLD.name
    OR NEW.version_id <> OLD.version_id OR NEW.from_at <> OLD.from_at OR NEW.from_event <> OLD.from_event
BEGIN SELECT RAISE(ABORT, 'artifortress: the history of a ref never changes'); END;

CREATE TRIGGER refs_stay BEFORE DELETE ON refs
BEGIN SELECT RAISE(ABORT, 'artifortress: the history of a ref is never shortened'); END;

CREATE TRIGGER subjects_keep BEFORE UPDATE ON subjects
BEGIN SELECT RAISE(ABORT, 'artifortress: what a version belongs to never changes'); END;

CREATE TRIGGER subjects_stay BEFORE DELETE ON subjects
BEGIN SELECT RAISE(ABORT, 'artifortress: what a version belongs to never changes'); END;

CREATE TRIGGER marks_keep BEFORE UPDATE ON marks
WHEN OLD.to_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.version_id <> OLD.version_id OR NEW.path <> OLD.path
    OR NEW.kind <> OLD.kind OR NEW.text <> OLD.text OR NEW.from_at <> OLD.from_at OR NEW.from_event <> OLD.from_event
BEGIN SELECT RAISE(ABORT, 'artifortress: the history of a mark never changes'); END;

CREATE TRIGGER marks_stay BEFORE DELETE ON marks
BEGIN SELECT RAISE(ABORT, 'artifortress: the history of a mark is never shortened'); END;

CREATE TRIGGER copies_keep BEFORE UPDATE ON copies
WHEN NEW.id <> OLD.id OR NEW.digest <> OLD.digest OR NEW.kind <> OLD.kind OR NEW.place <> OLD.place
    OR NEW.start <> OLD.start OR NEW.sums <> OLD.sums OR (OLD.state = 'damaged' AND NEW.state <> 'damaged')
BEGIN SELECT RAISE(ABORT, 'artifortress: a copy never changes and a damaged one never turns good'); END;

CREATE TRIGGER copies_fresh BEFORE INSERT ON copies
WHEN EXISTS (SELECT 1 FROM trash WHERE place = NEW.place)
BEGIN SELECT RAISE(ABORT, 'artifortress: a place is never reused'); END;

CREATE TRIGGER trash_stay BEFORE DELETE ON trash
BEGIN SELECT RAISE(ABORT, 'artifortress: a place is never reused'); END;

CREATE TRIGGER blobs_keep BEFORE UPDATE ON blobs
WHEN NEW.digest <> OLD.digest OR NEW.length <> OLD.length
BEGIN SELECT RAISE(ABORT, 'artifortress: a blob is its digest and length'); END;

CREATE TRIGGER tombstones_keep BEFORE UPDATE ON tombstones
WHEN OLD.to_at IS NOT NULL OR NEW.to_at IS NULL OR NEW.id <> OLD.id OR NEW.version_id <> OLD.version_id
    OR NEW.reason <> OLD.reason OR NEW.by_subject <> OLD.by_subject OR NEW.from_at <> OLD.from_at
    OR NEW.from_event <> OLD.from_event OR NEW.retain_until <> OLD.retain_until
BEGIN SELECT RAISE(ABORT, 'artifortress: the history of a tombstone never changes'); END;

CREATE TRIGGER tombstones_stay BEFORE DELETE ON tombstones
BEGIN SELECT RAISE(ABORT, 'artifortress: the history of a tombstone is never shortened'); END;

CREATE TRIGGER uploads_keep BEFORE UPDATE ON uploads
WHEN OLD.state IN ('committed', 'aborted') OR NEW.id <> OLD.id OR NEW.tenant_id <> OLD.tenant_id
    OR NEW.repo_id <> OLD.repo_id OR NEW.expected_digest IS NOT OLD.expected_digest
    OR NEW.expected_length IS NOT OLD.expected_length OR NEW.created_by <> OLD.created_by OR NEW.created_at <> OLD.created_at
BEGIN SELECT RAISE(ABORT, 'artifortress: an upload keeps what it announced and ends once'); END;
