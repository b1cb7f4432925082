-- 0001_base: agents, sessions, messages, turns and their steps, KV memory, usage, idempotency.
-- min_reader: 1
CREATE TABLE agent (
    id             TEXT NOT NULL PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE,
    state          TEXT NOT NULL,                 -- Created Running Suspended Terminated Crashed
    mode           TEXT NOT NULL DEFAULT 'full',  -- observe assist full
    stable         BIGINT NOT NULL DEFAULT 0,     -- seed's "Stable": model pinned
    author         TEXT NOT NULL DEFAULT '',
    description    TEXT NOT NULL DEFAULT '',
    provider       TEXT NOT NULL DEFAULT 'default',
    model          TEXT NOT NULL DEFAULT 'default',
    manifest_toml  TEXT NOT NULL,                 -- as it was given, or as we re-wrote it
    manifest       TEXT NOT NULL,                 -- the same as JSON, defaults filled in
    identity       TEXT NOT NULL DEFAULT '{}',    -- {"emoji","avatar_url","color",...}
    list_json      TEXT NOT NULL DEFAULT '',      -- what a list shows of the manifest, ready to copy (agent_list_fragment)
    template       TEXT,                          -- the template it was made from
    is_hand        BIGINT NOT NULL DEFAULT 0,
    parent_id      TEXT,
    session_id     TEXT NOT NULL,                 -- the current session
    has_processed  BIGINT NOT NULL DEFAULT 0,
    created_ms     BIGINT NOT NULL,
    last_active_ms BIGINT NOT NULL
);
CREATE INDEX agent_parent ON agent(parent_id);

-- A name keeps its id until the agent is deleted for good.
CREATE TABLE agent_identity (
    name     TEXT NOT NULL PRIMARY KEY,
    agent_id TEXT NOT NULL
);

CREATE TABLE session (
    id             TEXT NOT NULL PRIMARY KEY,
    agent_id       TEXT NOT NULL REFERENCES agent(id) ON DELETE CASCADE,
    label          TEXT,
    model_override TEXT,
    summary        TEXT,
    created_ms     BIGINT NOT NULL,
    updated_ms     BIGINT NOT NULL,
    message_count  BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX session_agent ON session(agent_id, created_ms);

CREATE TABLE message (
    session_id TEXT NOT NULL REFERENCES session(id) ON DELETE CASCADE,
    seq        BIGINT NOT NULL,                   -- from 1, no gaps
    role       TEXT NOT NULL,                     -- system user assistant
    content    TEXT NOT NULL,                     -- JSON: a string or an array of content blocks
    pinned     BIGINT NOT NULL DEFAULT 0,
    turn_id    TEXT,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (session_id, seq)
) WITHOUT ROWID;                                  -- a session's messages lie side by side

-- One turn of an agent. A row exists before anything happens for it.
CREATE TABLE turn (
    id            TEXT NOT NULL PRIMARY KEY,      -- UUIDv7: new rows lie side by side
    agent_id      TEXT NOT NULL REFERENCES agent(id) ON DELETE CASCADE,
    session_id    TEXT NOT NULL,
    epoch         BIGINT NOT NULL,                -- of the daemon that runs it; every write is conditional on it
    state         TEXT NOT NULL,                  -- queued running waiting done failed cancelled
    origin        TEXT NOT NULL,                  -- api stream ws openai agent
    caller        TEXT NOT NULL DEFAULT 'root',
    input         TEXT NOT NULL,                  -- JSON: what was asked, with options
    result        TEXT,                           -- JSON: the answer and its figures
    error_code    TEXT,
    error         TEXT,
    started_ms    BIGINT NOT NULL,
    ended_ms      BIGINT
) WITHOUT ROWID;
CREATE INDEX turn_open ON turn(state) WHERE state IN ('queued', 'running', 'waiting');
CREATE INDEX turn_agent ON turn(agent_id, started_ms);

-- Each effect of a turn: committed as started before it happens.
CREATE TABLE turn_step (
    turn_id    TEXT NOT NULL REFERENCES turn(id) ON DELETE CASCADE,
    n          BIGINT NOT NULL,
    kind       TEXT NOT NULL,                     -- model tool
    name       TEXT NOT NULL,                     -- model id or tool name
    call_id    TEXT,                              -- the model's id of a tool call
    input      TEXT,                              -- JSON of a tool call
    state      TEXT NOT NULL,                     -- started done failed
    result     TEXT,                              -- JSON: content blocks of a model, result of a tool
    started_ms BIGINT NOT NULL,
    ended_ms   BIGINT,
    PRIMARY KEY (turn_id, n)
) WITHOUT ROWID;
CREATE INDEX turn_step_call ON turn_step(call_id) WHERE call_id IS NOT NULL;

CREATE TABLE kv (
    agent_id   TEXT NOT NULL,                     -- need not exist in agent
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,                     -- JSON
    updated_ms BIGINT NOT NULL,
    PRIMARY KEY (agent_id, key)
) WITHOUT ROWID;

CREATE TABLE usage_event (
    id            TEXT NOT NULL,
    agent_id      TEXT NOT NULL,
    ts_ms         BIGINT NOT NULL,
    provider      TEXT NOT NULL,
    model         TEXT NOT NULL,
    input_tokens  BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    cost_nanousd  BIGINT NOT NULL,
    tool_calls    BIGINT NOT NULL,
    llm_calls     BIGINT NOT NULL,
    latency_ms    BIGINT NOT NULL,
    user_id       TEXT,
    channel       TEXT,
    session_id    TEXT,
    turn_id       TEXT,
    PRIMARY KEY (ts_ms, id)
) WITHOUT ROWID;
CREATE INDEX usage_agent ON usage_event(agent_id, ts_ms);

-- Money put aside for calls under way; settled into usage_event.
CREATE TABLE reservation (
    turn_id      TEXT NOT NULL PRIMARY KEY REFERENCES turn(id) ON DELETE CASCADE,
    epoch        BIGINT NOT NULL,
    cost_nanousd BIGINT NOT NULL,
    ts_ms        BIGINT NOT NULL
);

CREATE TABLE idempotency (
    id         INTEGER PRIMARY KEY,
    principal  TEXT NOT NULL,
    route      TEXT NOT NULL,                     -- "POST /api/agents"
    key        TEXT NOT NULL,
    body_hash  TEXT NOT NULL,                     -- SHA-256 of the raw bytes, hex
    owner      TEXT NOT NULL,                     -- boot id of the process that runs it
    state      TEXT NOT NULL,                     -- pending done
    status     BIGINT,
    body       TEXT,
    created_ms BIGINT NOT NULL,
    done_ms    BIGINT,
    UNIQUE (principal, route, key)
);

-- Small facts about this store: daemon epoch, first start done, install id.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
