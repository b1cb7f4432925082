-- 0022_memory_learn: what a model learnt from conversations.
-- min_reader: 1
ALTER TABLE session ADD COLUMN learnt BIGINT NOT NULL DEFAULT 0;        -- so many of its messages a model was asked about, or never will be
UPDATE session SET learnt = message_count;
-- Who deletes a conversation wants it forgotten; words are taken out later.
CREATE TRIGGER memory_learnt_gone AFTER DELETE ON session WHEN OLD.learnt > 0 BEGIN
    UPDATE memory SET deleted_ms = 0 WHERE session_id = OLD.id AND source = 'conversation' AND scope <> 'episodic';
END;
