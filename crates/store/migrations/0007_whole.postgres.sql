-- TRUNCATE passes triggers of rows by: what is never deleted is never emptied either. SQLite knows no such statement.

CREATE FUNCTION never_emptied() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'artifortress: % is never emptied', TG_TABLE_NAME;
END $$;

CREATE TRIGGER versions_full BEFORE TRUNCATE ON versions FOR EACH STATEMENT EXECUTE FUNCTION never_emptied();
CREATE TRIGGER entries_full BEFORE TRUNCATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION never_emptied();
CREATE TRIGGER manifests_full BEFORE TRUNCATE ON manifests FOR EACH STATEMENT EXECUTE FUNCTION never_emptied();
CREATE TRIGGER events_full BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION never_emptied();
CREATE TRIGGER packages_full BEFORE TRUNCATE ON packages FOR EACH STATEMENT EXECUTE FUNCTION never_emptied();
CREATE TRIGGER repositories_full BEFORE TRUNCATE ON repositories FOR EACH STATEMENT EXECUTE FUNCTION never_emptied();
CREATE TRIGGER locations_full BEFORE TRUNCATE ON locations FOR EACH STATEMENT EXECUTE FUNCTION never_emptied();
CREATE TRIGGER refs_full BEFORE TRUNCATE ON refs FOR EACH STATEMENT EXECUTE FUNCTION never_emptied();
CREATE TRIGGER subjects_full BEFORE TRUNCATE ON subjects FOR EACH STATEMENT EXECUTE FUNCTION never_emptied();
CREATE TRIGGER marks_full BEFORE TRUNCATE ON marks FOR EACH STATEMENT EXECUTE FUNCTION never_emptied();
CREATE TRIGGER tombstones_full BEFORE TRUNCATE ON tombstones FOR EACH STATEMENT EXECUTE FUNCTION never_emptied();
CREATE TRIGGER trash_full BEFORE TRUNCATE ON trash FOR EACH STATEMENT EXECUTE FUNCTION never_emptied();
CREATE TRIGGER observations_full BEFORE TRUNCATE ON observations FOR EACH STATEMENT EXECUTE FUNCTION never_emptied();
CREATE TRIGGER waivers_full BEFORE TRUNCATE ON waivers FOR EACH STATEMENT EXECUTE FUNCTION never_emptied();
CREATE TRIGGER blobs_full BEFORE TRUNCATE ON blobs FOR EACH STATEMENT EXECUTE FUNCTION never_emptied();
CREATE TRIGGER copies_full BEFORE TRUNCATE ON copies FOR EACH STATEMENT EXECUTE FUNCTION never_emptied();
CREATE TRIGGER inline_bytes_full BEFORE TRUNCATE ON inline_bytes FOR EACH STATEMENT EXECUTE FUNCTION never_emptied();

-- Only the paths of files that are packages of their own may be taken over by a later version.
CREATE FUNCTION locations_lie() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF (NEW.version_id <> OLD.version_id OR NEW.entry_path <> OLD.entry_path)
    AND (SELECT format FROM repositories WHERE id = OLD.repo_id) <> 'raw' THEN
    RAISE EXCEPTION 'artifortress: what lies at a path never changes';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER locations_lie BEFORE UPDATE ON locations FOR EACH ROW EXECUTE FUNCTION locations_lie();

CREATE FUNCTION refs_say_who() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF NEW.by_subject <> OLD.by_subject THEN RAISE EXCEPTION 'artifortress: who pointed a ref never changes'; END IF;
RETURN NEW;
END $$;
CREATE TRIGGER refs_say_who BEFORE UPDATE ON refs FOR EACH ROW EXECUTE FUNCTION refs_say_who();

CREATE FUNCTION trash_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF NEW.place <> OLD.place THEN RAISE EXCEPTION 'artifortress: a place is never reused'; END IF;
RETURN NEW;
END $$;
CREATE TRIGGER trash_keep BEFORE UPDATE ON trash FOR EACH ROW EXECUTE FUNCTION trash_keep();
