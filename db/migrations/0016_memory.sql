-- 0016_memory: what agents remember beyond their conversations, with vectors where a model for them is configured.
-- min_reader: 1
ALTER TABLE session ADD COLUMN remembered BIGINT NOT NULL DEFAULT 0;    -- so many of its messages became memories, or never will
ALTER TABLE session ADD COLUMN peer_id TEXT;                            -- the sender it was made for
CREATE TABLE memory (
    n            INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    agent_id     TEXT NOT NULL,                  -- need not exist in agent
    content      TEXT NOT NULL,
    source       TEXT NOT NULL,                  -- conversation document observation inference user_provided system
    scope        TEXT NOT NULL,                  -- episodic user_memory session_memory agent_memory
    confidence   DOUBLE PRECISION NOT NULL DEFAULT 1,
    metadata     TEXT NOT NULL DEFAULT '{}',     -- JSON object
    peer_id      TEXT,                           -- who said it, when a sender was named
    chat         TEXT,                           -- the channel it was said in, when a sender was named
    session_id   TEXT,                           -- the session it comes from; may be gone
    key          TEXT,                           -- of the key/value row that it is the text of
    created_ms   BIGINT NOT NULL,
    accessed_ms  BIGINT NOT NULL,
    access_count BIGINT NOT NULL DEFAULT 0,
    deleted_ms   BIGINT                          -- forgotten, and to be removed; 0: at once
);
CREATE INDEX memory_agent ON memory(agent_id, created_ms);
CREATE INDEX memory_deleted ON memory(deleted_ms) WHERE deleted_ms IS NOT NULL;
CREATE INDEX memory_session ON memory(session_id) WHERE session_id IS NOT NULL;
CREATE UNIQUE INDEX memory_key ON memory(agent_id, key) WHERE key IS NOT NULL;
CREATE TABLE memory_vector (
    memory BIGINT NOT NULL PRIMARY KEY,          -- memory.n
    model  TEXT NOT NULL,                        -- provider/model and dimensions: vectors of others are not compared with it
    vector BLOB NOT NULL                         -- 32-bit floats, little-endian, of length one
);
CREATE VIRTUAL TABLE memory_text USING fts5(agent, content, tokenize = 'unicode61');
-- Who deletes a conversation wants it forgotten; its words are taken out later.
CREATE TRIGGER memory_session_gone AFTER DELETE ON session WHEN OLD.remembered > 0 BEGIN
    UPDATE memory SET deleted_ms = 0 WHERE session_id = OLD.id AND scope = 'episodic';
END;
