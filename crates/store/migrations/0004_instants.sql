-- How things were at a moment is asked of the intervals of a version, those that are over included.
CREATE INDEX tombstones_by_version ON tombstones (version_id);
CREATE INDEX marks_by_version ON marks (version_id);
