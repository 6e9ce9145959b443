-- Law 3: published is insert-only. The walls, on PostgreSQL: the same as on SQLite.

CREATE FUNCTION versions_keep_identity() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF OLD.state <> 'draft' AND (NEW.id <> OLD.id OR NEW.repo_id <> OLD.repo_id OR NEW.package_id <> OLD.package_id
    OR NEW.version <> OLD.version OR NEW.created_by <> OLD.created_by OR NEW.created_at <> OLD.created_at
    OR NEW.published_by IS DISTINCT FROM OLD.published_by OR NEW.published_at IS DISTINCT FROM OLD.published_at
    OR NEW.published_event IS DISTINCT FROM OLD.published_event
    OR (OLD.sealed_at IS NOT NULL AND NEW.sealed_at IS DISTINCT FROM OLD.sealed_at)) THEN
    RAISE EXCEPTION 'artifortress: a published version never changes';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER versions_keep_identity BEFORE UPDATE ON versions FOR EACH ROW EXECUTE FUNCTION versions_keep_identity();

CREATE FUNCTION versions_keep_order() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF NOT (NEW.state = OLD.state
    OR (OLD.state = 'draft' AND NEW.state IN ('published', 'tombstoned'))
    OR (OLD.state = 'published' AND NEW.state = 'tombstoned')
    OR (OLD.state = 'tombstoned' AND NEW.state = 'published' AND OLD.published_at IS NOT NULL)
    OR (OLD.state = 'tombstoned' AND NEW.state = 'collected')) THEN
    RAISE EXCEPTION 'artifortress: a version cannot take that step';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER versions_keep_order BEFORE UPDATE ON versions FOR EACH ROW EXECUTE FUNCTION versions_keep_order();

CREATE FUNCTION versions_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'artifortress: a coordinate is never freed';
END $$;
CREATE TRIGGER versions_stay BEFORE DELETE ON versions FOR EACH ROW EXECUTE FUNCTION versions_stay();

CREATE FUNCTION entries_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF (SELECT state FROM versions WHERE id = OLD.version_id) <> 'draft' THEN
    RAISE EXCEPTION 'artifortress: a published entry never changes';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER entries_keep BEFORE UPDATE ON entries FOR EACH ROW EXECUTE FUNCTION entries_keep();

CREATE FUNCTION entries_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF (SELECT state FROM versions WHERE id = OLD.version_id) NOT IN ('draft', 'collected') THEN
    RAISE EXCEPTION 'artifortress: a published entry is never removed';
END IF;
RETURN OLD;
END $$;
CREATE TRIGGER entries_stay BEFORE DELETE ON entries FOR EACH ROW EXECUTE FUNCTION entries_stay();

CREATE FUNCTION entries_join() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF EXISTS (SELECT 1 FROM versions WHERE id = NEW.version_id
    AND (state IN ('tombstoned', 'collected') OR (state = 'published' AND sealed_at IS NOT NULL))) THEN
    RAISE EXCEPTION 'artifortress: a sealed version takes no more entries';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER entries_join BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION entries_join();

CREATE FUNCTION manifests_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF (SELECT state FROM versions WHERE id = OLD.version_id) <> 'draft' THEN
    RAISE EXCEPTION 'artifortress: a published manifest never changes';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER manifests_keep BEFORE UPDATE ON manifests FOR EACH ROW EXECUTE FUNCTION manifests_keep();

CREATE FUNCTION manifests_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF (SELECT state FROM versions WHERE id = OLD.version_id) <> 'draft' THEN
    RAISE EXCEPTION 'artifortress: a published manifest is never removed';
END IF;
RETURN OLD;
END $$;
CREATE TRIGGER manifests_stay BEFORE DELETE ON manifests FOR EACH ROW EXECUTE FUNCTION manifests_stay();

CREATE FUNCTION manifests_join() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF (SELECT state FROM versions WHERE id = NEW.version_id) <> 'draft' THEN
    RAISE EXCEPTION 'artifortress: a published version takes no manifest';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER manifests_join BEFORE INSERT ON manifests FOR EACH ROW EXECUTE FUNCTION manifests_join();

CREATE FUNCTION events_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF OLD.seq IS NOT NULL OR NEW.seq IS NULL OR NEW.id <> OLD.id OR NEW.tenant_id <> OLD.tenant_id
    OR NEW.at <> OLD.at OR NEW.actor <> OLD.actor OR NEW.action <> OLD.action OR NEW.repo_id IS DISTINCT FROM OLD.repo_id
    OR NEW.resource_kind <> OLD.resource_kind OR NEW.resource_id <> OLD.resource_id OR NEW.detail <> OLD.detail
    OR NEW.correlation_id IS DISTINCT FROM OLD.correlation_id THEN
    RAISE EXCEPTION 'artifortress: the journal never changes';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER events_keep BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION events_keep();

CREATE FUNCTION events_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'artifortress: the journal is never shortened';
END $$;
CREATE TRIGGER events_stay BEFORE DELETE ON events FOR EACH ROW EXECUTE FUNCTION events_stay();

CREATE FUNCTION packages_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF NEW.id <> OLD.id OR NEW.repo_id <> OLD.repo_id OR NEW.name <> OLD.name OR NEW.namespace <> OLD.namespace
    OR NEW.type <> OLD.type OR NEW.generation < OLD.generation THEN
    RAISE EXCEPTION 'artifortress: a package keeps its name';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER packages_keep BEFORE UPDATE ON packages FOR EACH ROW EXECUTE FUNCTION packages_keep();

CREATE FUNCTION packages_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'artifortress: a name is never freed';
END $$;
CREATE TRIGGER packages_stay BEFORE DELETE ON packages FOR EACH ROW EXECUTE FUNCTION packages_stay();

CREATE FUNCTION repositories_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF NEW.id <> OLD.id OR NEW.tenant_id <> OLD.tenant_id OR NEW.key <> OLD.key OR NEW.format <> OLD.format
    OR NEW.kind <> OLD.kind OR (OLD.retired_at IS NOT NULL AND NEW.retired_at IS DISTINCT FROM OLD.retired_at) THEN
    RAISE EXCEPTION 'artifortress: a repository keeps its key';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER repositories_keep BEFORE UPDATE ON repositories FOR EACH ROW EXECUTE FUNCTION repositories_keep();

CREATE FUNCTION repositories_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'artifortress: a repository key is retired, never freed';
END $$;
CREATE TRIGGER repositories_stay BEFORE DELETE ON repositories FOR EACH ROW EXECUTE FUNCTION repositories_stay();

CREATE FUNCTION locations_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF NEW.repo_id <> OLD.repo_id OR NEW.path <> OLD.path OR NEW.package_id <> OLD.package_id THEN
    RAISE EXCEPTION 'artifortress: a path stays with its package';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER locations_keep BEFORE UPDATE ON locations FOR EACH ROW EXECUTE FUNCTION locations_keep();

CREATE FUNCTION locations_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'artifortress: a path is never freed';
END $$;
CREATE TRIGGER locations_stay BEFORE DELETE ON locations FOR EACH ROW EXECUTE FUNCTION locations_stay();

CREATE FUNCTION refs_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF OLD.to_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.package_id <> OLD.package_id OR NEW.name <> OLD.name
    OR NEW.version_id <> OLD.version_id OR NEW.from_at <> OLD.from_at OR NEW.from_event <> OLD.from_event THEN
    RAISE EXCEPTION 'artifortress: the history of a ref never changes';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER refs_keep BEFORE UPDATE ON refs FOR EACH ROW EXECUTE FUNCTION refs_keep();

CREATE FUNCTION refs_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'artifortress: the history of a ref is never shortened';
END $$;
CREATE TRIGGER refs_stay BEFORE DELETE ON refs FOR EACH ROW EXECUTE FUNCTION refs_stay();

CREATE FUNCTION subjects_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'artifortress: what a version belongs to never changes';
END $$;
CREATE TRIGGER subjects_keep BEFORE UPDATE ON subjects FOR EACH ROW EXECUTE FUNCTION subjects_keep();

CREATE FUNCTION subjects_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'artifortress: what a version belongs to never changes';
END $$;
CREATE TRIGGER subjects_stay BEFORE DELETE ON subjects FOR EACH ROW EXECUTE FUNCTION subjects_stay();

CREATE FUNCTION marks_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF OLD.to_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.version_id <> OLD.version_id OR NEW.path <> OLD.path
    OR NEW.kind <> OLD.kind OR NEW.text <> OLD.text OR NEW.from_at <> OLD.from_at OR NEW.from_event <> OLD.from_event THEN
    RAISE EXCEPTION 'artifortress: the history of a mark never changes';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER marks_keep BEFORE UPDATE ON marks FOR EACH ROW EXECUTE FUNCTION marks_keep();

CREATE FUNCTION marks_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'artifortress: the history of a mark is never shortened';
END $$;
CREATE TRIGGER marks_stay BEFORE DELETE ON marks FOR EACH ROW EXECUTE FUNCTION marks_stay();

CREATE FUNCTION copies_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF NEW.id <> OLD.id OR NEW.digest <> OLD.digest OR NEW.kind <> OLD.kind OR NEW.place <> OLD.place
    OR NEW.start <> OLD.start OR NEW.sums <> OLD.sums OR (OLD.state = 'damaged' AND NEW.state <> 'damaged') THEN
    RAISE EXCEPTION 'artifortress: a copy never changes and a damaged one never turns good';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER copies_keep BEFORE UPDATE ON copies FOR EACH ROW EXECUTE FUNCTION copies_keep();

CREATE FUNCTION copies_fresh() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF EXISTS (SELECT 1 FROM trash WHERE place = NEW.place) THEN
    RAISE EXCEPTION 'artifortress: a place is never reused';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER copies_fresh BEFORE INSERT ON copies FOR EACH ROW EXECUTE FUNCTION copies_fresh();

CREATE FUNCTION trash_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'artifortress: a place is never reused';
END $$;
CREATE TRIGGER trash_stay BEFORE DELETE ON trash FOR EACH ROW EXECUTE FUNCTION trash_stay();

CREATE FUNCTION blobs_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF NEW.digest <> OLD.digest OR NEW.length <> OLD.length THEN
    RAISE EXCEPTION 'artifortress: a blob is its digest and length';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER blobs_keep BEFORE UPDATE ON blobs FOR EACH ROW EXECUTE FUNCTION blobs_keep();

CREATE FUNCTION tombstones_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF OLD.to_at IS NOT NULL OR NEW.to_at IS NULL OR NEW.id <> OLD.id OR NEW.version_id <> OLD.version_id
    OR NEW.reason <> OLD.reason OR NEW.by_subject <> OLD.by_subject OR NEW.from_at <> OLD.from_at
    OR NEW.from_event <> OLD.from_event OR NEW.retain_until <> OLD.retain_until THEN
    RAISE EXCEPTION 'artifortress: the history of a tombstone never changes';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER tombstones_keep BEFORE UPDATE ON tombstones FOR EACH ROW EXECUTE FUNCTION tombstones_keep();

CREATE FUNCTION tombstones_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'artifortress: the history of a tombstone is never shortened';
END $$;
CREATE TRIGGER tombstones_stay BEFORE DELETE ON tombstones FOR EACH ROW EXECUTE FUNCTION tombstones_stay();

CREATE FUNCTION uploads_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF OLD.state IN ('committed', 'aborted') OR NEW.id <> OLD.id OR NEW.tenant_id <> OLD.tenant_id
    OR NEW.repo_id <> OLD.repo_id OR NEW.expected_digest IS DISTINCT FROM OLD.expected_digest
    OR NEW.expected_length IS DISTINCT FROM OLD.expected_length OR NEW.created_by <> OLD.created_by OR NEW.created_at <> OLD.created_at THEN
    RAISE EXCEPTION 'artifortress: an upload keeps what it announced and ends once';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER uploads_keep BEFORE UPDATE ON uploads FOR EACH ROW EXECUTE FUNCTION uploads_keep();
