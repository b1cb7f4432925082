-- 0013_search: the words of all messages, for a search. The index is the engine's own (FTS5).
-- min_reader: 1
ALTER TABLE session ADD COLUMN searched BIGINT NOT NULL DEFAULT 0;      -- so many of its messages are in the index
CREATE TABLE search_doc (
    id         INTEGER PRIMARY KEY,             -- the row of search_text: one message
    session_id TEXT NOT NULL
);
CREATE INDEX search_doc_session ON search_doc(session_id);
CREATE VIRTUAL TABLE search_text USING fts5(content, tokenize = 'unicode61');
CREATE TABLE search_gone (
    session_id TEXT NOT NULL PRIMARY KEY        -- deleted; its words are still to be taken out
) WITHOUT ROWID;
CREATE TRIGGER search_session_gone AFTER DELETE ON session WHEN OLD.searched > 0 BEGIN
    INSERT OR IGNORE INTO search_gone (session_id) VALUES (OLD.id);
END;
