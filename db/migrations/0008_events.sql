-- 0008_events: what has happened, for agents that act on it.
-- min_reader: 1
CREATE TABLE event (
    id       INTEGER PRIMARY KEY,             -- in the order of happening
    ts_ms    BIGINT NOT NULL,
    kind     TEXT NOT NULL,                   -- agent_spawned agent_terminated lifecycle memory_update system custom
    agent_id TEXT,                            -- whom it is about
    detail   TEXT NOT NULL,                   -- a name, a state, a key
    depth    BIGINT NOT NULL DEFAULT 0        -- of the chain of events that led to it
);
