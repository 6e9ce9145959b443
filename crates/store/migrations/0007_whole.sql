-- Of all tokens that were ever made few live.
CREATE INDEX tokens_by_expiry ON tokens (expires_at) WHERE revoked_at IS NULL;
