-- 0014_audit_rows: entries lie in their order, so that appending one writes a page less.
-- min_reader: 1
ALTER TABLE audit_entries RENAME TO audit_entries_before;
CREATE TABLE audit_entries (
    seq       BIGINT NOT NULL PRIMARY KEY,        -- from 0, no gaps
    timestamp TEXT NOT NULL,                      -- RFC 3339 with nanoseconds: as it was hashed
    ts_ms     BIGINT NOT NULL,
    agent_id  TEXT NOT NULL,                      -- or "system"
    action    TEXT NOT NULL,
    detail    TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    user_id   TEXT,
    channel   TEXT,
    prev_hash TEXT NOT NULL,
    hash      TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO audit_entries (seq, timestamp, ts_ms, agent_id, action, detail, outcome, user_id, channel, prev_hash, hash)
    SELECT seq, timestamp, ts_ms, agent_id, action, detail, outcome, user_id, channel, prev_hash, hash
    FROM audit_entries_before ORDER BY seq;
DROP TABLE audit_entries_before;
CREATE INDEX audit_agent ON audit_entries(agent_id, seq);
