-- 0003_sessions: how much a session holds and has cost; when a name got its id; what is said into a running turn.
-- min_reader: 1
ALTER TABLE session ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;         -- of the contents of its messages
ALTER TABLE session ADD COLUMN cost_nanousd BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN tokens BIGINT NOT NULL DEFAULT 0;        -- in and out
UPDATE session SET
    bytes = coalesce((SELECT sum(length(content)) FROM message WHERE session_id = session.id), 0),
    cost_nanousd = coalesce((SELECT sum(cost_nanousd) FROM usage_event u
        WHERE u.agent_id = session.agent_id AND u.session_id = session.id), 0),
    tokens = coalesce((SELECT sum(input_tokens + output_tokens) FROM usage_event u
        WHERE u.agent_id = session.agent_id AND u.session_id = session.id), 0);
CREATE INDEX session_created ON session(created_ms, id);
ALTER TABLE agent_identity ADD COLUMN created_ms BIGINT NOT NULL DEFAULT 0;
UPDATE agent_identity SET created_ms = coalesce((SELECT created_ms FROM agent WHERE id = agent_identity.agent_id), 0);

-- Accepted, and not yet shown to the model.
CREATE TABLE injection (
    turn_id TEXT NOT NULL REFERENCES turn(id) ON DELETE CASCADE,
    n       BIGINT NOT NULL,
    text    TEXT NOT NULL,
    PRIMARY KEY (turn_id, n)
) WITHOUT ROWID;
