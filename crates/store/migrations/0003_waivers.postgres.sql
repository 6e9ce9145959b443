CREATE FUNCTION waivers_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
    OR (NEW.id, NEW.repo_id, NEW.package, NEW.version, NEW.reason, NEW.by_subject, NEW.created_at, NEW.until)
    IS DISTINCT FROM
    (OLD.id, OLD.repo_id, OLD.package, OLD.version, OLD.reason, OLD.by_subject, OLD.created_at, OLD.until)
THEN RAISE EXCEPTION 'artifortress: a waiver is ended once and never changes'; END IF;
RETURN NEW;
END $$;
CREATE TRIGGER waivers_keep BEFORE UPDATE ON waivers FOR EACH ROW EXECUTE FUNCTION waivers_keep();

CREATE FUNCTION waivers_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'artifortress: a waiver is never forgotten';
END $$;
CREATE TRIGGER waivers_stay BEFORE DELETE ON waivers FOR EACH ROW EXECUTE FUNCTION waivers_stay();
