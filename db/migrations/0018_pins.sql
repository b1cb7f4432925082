-- 0018_pins: pinned messages are found wherever they are in a long session.
-- min_reader: 1
CREATE INDEX message_pinned ON message(session_id, seq) WHERE pinned = 1;
