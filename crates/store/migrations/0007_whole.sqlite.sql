-- Only the paths of files that are packages of their own may be taken over by a later version.
CREATE TRIGGER locations_lie BEFORE UPDATE ON locations
WHEN (NEW.version_id <> OLD.version_id OR NEW.entry_path <> OLD.entry_path)
    AND (SELECT format FROM repositories WHERE id = OLD.repo_id) <> 'raw'
BEGIN SELECT RAISE(ABORT, 'artifortress: what lies at a path never changes'); END;

CREATE TRIGGER refs_say_who BEFORE UPDATE ON refs WHEN NEW.by_subject <> OLD.by_subject
BEGIN SELECT RAISE(ABORT, 'artifortress: who pointed a ref never changes'); END;

CREATE TRIGGER trash_keep BEFORE UPDATE ON trash WHEN NEW.place <> OLD.place
BEGIN SELECT RAISE(ABORT, 'artifortress: a place is never reused'); END;
