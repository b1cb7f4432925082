-- 0007_catalog: what people added to the catalog, and what the daemon found out about providers.
-- min_reader: 1

-- Another name for a model, in small letters. Empty model_id: a shipped alias that was taken away.
CREATE TABLE model_alias (
    alias    TEXT NOT NULL PRIMARY KEY,
    model_id TEXT NOT NULL
);

CREATE TABLE model_custom (
    id         TEXT NOT NULL,                     -- in small letters; as it was written: in facts
    provider   TEXT NOT NULL,
    facts      TEXT NOT NULL,                     -- JSON, a row as in share/models.json
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (id, provider)
);

CREATE TABLE model_override (
    key      TEXT NOT NULL PRIMARY KEY,           -- provider:id
    settings TEXT NOT NULL                        -- JSON object
);

CREATE TABLE provider_state (
    provider   TEXT NOT NULL PRIMARY KEY,
    suppressed BIGINT NOT NULL DEFAULT 0,
    key_set    BIGINT NOT NULL DEFAULT 0,         -- the vault has its key
    discover   BIGINT,                            -- NULL: not said
    auth       TEXT,                              -- validated_key invalid_key; NULL: not tried
    tested_ms  BIGINT,
    reachable  BIGINT,
    latency_ms BIGINT,
    error      TEXT,
    live       TEXT,                              -- JSON array of models that it told
    live_ms    BIGINT
);

-- Until when a provider, or a key of it, is left alone.
CREATE TABLE provider_rest (
    provider   TEXT NOT NULL,
    key_hash   TEXT NOT NULL,                     -- 16 hex digits of the key's SHA-256; empty: the provider itself
    label      TEXT NOT NULL DEFAULT '',
    until_ms   BIGINT NOT NULL DEFAULT 0,         -- 0: not resting; 9223372036854775807: for good
    reason     TEXT NOT NULL DEFAULT '',
    failures   BIGINT NOT NULL DEFAULT 0,         -- in a row
    failed_ms  BIGINT NOT NULL DEFAULT 0,
    requests   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (provider, key_hash)
);
