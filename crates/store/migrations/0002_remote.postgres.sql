CREATE FUNCTION observations_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'artifortress: what an upstream said never changes';
END $$;
CREATE TRIGGER observations_keep BEFORE UPDATE ON observations FOR EACH ROW EXECUTE FUNCTION observations_keep();

CREATE FUNCTION observations_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'artifortress: what an upstream said is never forgotten';
END $$;
CREATE TRIGGER observations_stay BEFORE DELETE ON observations FOR EACH ROW EXECUTE FUNCTION observations_stay();
