-- 0012_tasks: what agents have handed to each other, until the answer is back.
-- min_reader: 1
CREATE TABLE delegation (
    id          TEXT NOT NULL PRIMARY KEY,     -- UUIDv7
    agent_id    TEXT NOT NULL REFERENCES agent(id) ON DELETE CASCADE,    -- who asks
    session_id  TEXT NOT NULL,                 -- where the answer belongs
    to_id       TEXT NOT NULL,
    to_name     TEXT NOT NULL,
    message     TEXT NOT NULL,
    to_session  TEXT,                          -- NULL: the other agent's usual one
    depth       BIGINT NOT NULL,               -- of nested agent calls, of who asks
    event_depth BIGINT NOT NULL,
    state       TEXT NOT NULL,                 -- pending running answered told
    turn_id     TEXT,                          -- running: that works on it; told: that was told
    n           BIGINT,                        -- told: the injection's number
    result      TEXT,
    is_error    BIGINT NOT NULL DEFAULT 0,
    created_ms  BIGINT NOT NULL
);
CREATE INDEX delegation_state ON delegation(state, created_ms);
CREATE INDEX delegation_turn ON delegation(turn_id) WHERE turn_id IS NOT NULL;
