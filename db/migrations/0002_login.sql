-- 0002_login: sessions of browsers.
-- min_reader: 1
CREATE TABLE login (
    token      TEXT NOT NULL PRIMARY KEY,         -- SHA-256 of it, hex
    role       TEXT NOT NULL,
    made_under TEXT NOT NULL,                     -- which api_key held when it was made: another key ends it
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
) WITHOUT ROWID;
