-- What is small and lies in the database or in a pack is cached like everything else; only what is empty has no row.
INSERT INTO cached (repo_id, digest, size, cached_at, used_at)
SELECT e.repo_id, e.digest, max(e.size), min(e.added_at), max(e.added_at)
FROM entries e JOIN repositories r ON r.id = e.repo_id
WHERE r.kind = 'remote' AND e.size > 0
    AND NOT EXISTS (SELECT 1 FROM cached c WHERE c.repo_id = e.repo_id AND c.digest = e.digest)
GROUP BY e.repo_id, e.digest;
