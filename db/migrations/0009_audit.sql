-- 0009_audit: what was done, by whom, in a chain of hashes; receipts of what was sent out.
-- min_reader: 1
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
);
CREATE INDEX audit_agent ON audit_entries(agent_id, seq);

CREATE TABLE delivery (
    message_id TEXT NOT NULL PRIMARY KEY,
    agent_id   TEXT NOT NULL REFERENCES agent(id) ON DELETE CASCADE,
    channel    TEXT NOT NULL,
    recipient  TEXT NOT NULL,
    status     TEXT NOT NULL,                     -- sent delivered failed best_effort
    error      TEXT,
    ts_ms      BIGINT NOT NULL
);
CREATE INDEX delivery_agent ON delivery(agent_id, ts_ms);
