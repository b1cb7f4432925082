-- 0006_uploads: files that were sent for agents, and pictures that conversations show.
-- min_reader: 1
CREATE TABLE upload (
    id           TEXT NOT NULL PRIMARY KEY,       -- also the name of the file in <data>/uploads
    filename     TEXT NOT NULL,
    content_type TEXT NOT NULL,
    bytes        BIGINT NOT NULL,
    owner        TEXT,                            -- a user's name; NULL: nobody's in particular
    session_id   TEXT,                            -- the conversation that shows it, and keeps it; NULL: it lasts a day
    created_ms   BIGINT NOT NULL
);
CREATE INDEX upload_created ON upload(created_ms);
CREATE INDEX upload_session ON upload(session_id) WHERE session_id IS NOT NULL;
