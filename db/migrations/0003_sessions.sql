-- 0003_sessions: how much a session holds and has cost; when a name got its id.
-- min_reader: 1
ALTER TABLE session ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;         -- of the contents of its messages
UPDATE session SET bytes = coalesce((SELECT sum(length(content)) FROM message WHERE session_id = session.id), 0);
CREATE INDEX session_created ON session(created_ms, id);
CREATE INDEX session_updated ON session(agent_id, updated_ms);
CREATE INDEX usage_session ON usage_event(session_id, cost_nanousd, input_tokens, output_tokens);
ALTER TABLE agent_identity ADD COLUMN created_ms BIGINT NOT NULL DEFAULT 0;
UPDATE agent_identity SET created_ms = coalesce((SELECT created_ms FROM agent WHERE id = agent_identity.agent_id), 0);
