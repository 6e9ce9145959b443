CREATE TRIGGER waivers_keep BEFORE UPDATE ON waivers
WHEN OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL OR NEW.id IS NOT OLD.id OR NEW.repo_id IS NOT OLD.repo_id
    OR NEW.package IS NOT OLD.package OR NEW.version IS NOT OLD.version OR NEW.reason IS NOT OLD.reason
    OR NEW.by_subject IS NOT OLD.by_subject OR NEW.created_at IS NOT OLD.created_at OR NEW.until IS NOT OLD.until
BEGIN SELECT RAISE(ABORT, 'artifortress: a waiver is ended once and never changes'); END;

CREATE TRIGGER waivers_stay BEFORE DELETE ON waivers
BEGIN SELECT RAISE(ABORT, 'artifortress: a waiver is never forgotten'); END;
