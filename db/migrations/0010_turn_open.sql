-- 0010_turn_open: open turns by their session; a list of states was a table made anew with each row written.
-- min_reader: 1
DROP INDEX turn_open;
CREATE INDEX turn_open ON turn(session_id) WHERE ended_ms IS NULL;
