CREATE TRIGGER observations_keep BEFORE UPDATE ON observations
BEGIN SELECT RAISE(ABORT, 'artifortress: what an upstream said never changes'); END;

CREATE TRIGGER observations_stay BEFORE DELETE ON observations
BEGIN SELECT RAISE(ABORT, 'artifortress: what an upstream said is never forgotten'); END;
