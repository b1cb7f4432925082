-- 0004_usage: each call of a model is a row; its sums are kept as it comes; what is put aside for calls under way; alerts.
-- min_reader: 1
ALTER TABLE usage_event ADD COLUMN cache_read_tokens BIGINT NOT NULL DEFAULT 0;     -- of the input
ALTER TABLE usage_event ADD COLUMN cache_write_tokens BIGINT NOT NULL DEFAULT 0;    -- of the input
ALTER TABLE usage_event ADD COLUMN status TEXT NOT NULL DEFAULT 'ok';               -- ok failed cancelled
ALTER TABLE usage_event ADD COLUMN estimated BIGINT NOT NULL DEFAULT 0;             -- the provider named no figures

-- Sums of usage_event, written with each row of it. Rows of one span and moment lie side by side, so a call touches few pages.
CREATE TABLE usage_sum (
    span           TEXT NOT NULL,                 -- minute day total
    start_ms       BIGINT NOT NULL,               -- 0 for total
    scope          TEXT NOT NULL,                 -- all agent provider user model
    id             TEXT NOT NULL,                 -- '' for all
    input_tokens   BIGINT NOT NULL,
    output_tokens  BIGINT NOT NULL,
    cost_nanousd   BIGINT NOT NULL,
    tool_calls     BIGINT NOT NULL,
    calls          BIGINT NOT NULL,
    failed         BIGINT NOT NULL,               -- of the calls: failed and cancelled ones
    latency_ms     BIGINT NOT NULL,               -- of those that did not fail; sum
    latency_min_ms BIGINT,
    latency_max_ms BIGINT,
    PRIMARY KEY (span, start_ms, scope, id)
) WITHOUT ROWID;

-- How many calls of a model took how long; the bucket is a logarithm (usage.h).
CREATE TABLE usage_latency (
    model  TEXT NOT NULL,
    bucket BIGINT NOT NULL,
    n      BIGINT NOT NULL,
    PRIMARY KEY (model, bucket)
) WITHOUT ROWID;

INSERT INTO usage_sum (span, start_ms, scope, id, input_tokens, output_tokens, cost_nanousd, tool_calls, calls, failed,
    latency_ms, latency_min_ms, latency_max_ms)
    SELECT 'day', ts_ms - ts_ms % 86400000, 'all', '', sum(input_tokens), sum(output_tokens), sum(cost_nanousd),
        sum(tool_calls), sum(llm_calls), 0, sum(latency_ms), min(latency_ms), max(latency_ms)
        FROM usage_event GROUP BY 2
    UNION ALL
    SELECT 'day', ts_ms - ts_ms % 86400000, 'agent', agent_id, sum(input_tokens), sum(output_tokens), sum(cost_nanousd),
        sum(tool_calls), sum(llm_calls), 0, sum(latency_ms), min(latency_ms), max(latency_ms)
        FROM usage_event GROUP BY 2, 4
    UNION ALL
    SELECT 'day', ts_ms - ts_ms % 86400000, 'provider', provider, sum(input_tokens), sum(output_tokens), sum(cost_nanousd),
        sum(tool_calls), sum(llm_calls), 0, sum(latency_ms), min(latency_ms), max(latency_ms)
        FROM usage_event GROUP BY 2, 4
    UNION ALL
    SELECT 'day', ts_ms - ts_ms % 86400000, 'user', user_id, sum(input_tokens), sum(output_tokens), sum(cost_nanousd),
        sum(tool_calls), sum(llm_calls), 0, sum(latency_ms), min(latency_ms), max(latency_ms)
        FROM usage_event WHERE user_id IS NOT NULL AND user_id <> '' GROUP BY 2, 4
    UNION ALL
    SELECT 'total', 0, 'agent', agent_id, sum(input_tokens), sum(output_tokens), sum(cost_nanousd),
        sum(tool_calls), sum(llm_calls), 0, sum(latency_ms), min(latency_ms), max(latency_ms)
        FROM usage_event GROUP BY agent_id
    UNION ALL
    SELECT 'total', 0, 'model', model, sum(input_tokens), sum(output_tokens), sum(cost_nanousd),
        sum(tool_calls), sum(llm_calls), 0, sum(latency_ms), min(latency_ms), max(latency_ms)
        FROM usage_event GROUP BY model;

-- In the place of reservation, which only older programs look into.
CREATE TABLE budget_hold (
    id       TEXT NOT NULL PRIMARY KEY,           -- of the turn, or of the call where there is no turn
    epoch    BIGINT NOT NULL,                     -- of the daemon that makes the call; those of earlier ones are dropped
    agent_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    user_id  TEXT NOT NULL,                       -- '': nobody's
    nanousd  BIGINT NOT NULL,                     -- it costs at most
    tokens   BIGINT NOT NULL,                     -- and takes at most
    ts_ms    BIGINT NOT NULL
) WITHOUT ROWID;

-- An agent's hour of tokens begins with the first call after the last one is over.
CREATE TABLE budget_tokens (
    agent_id TEXT NOT NULL PRIMARY KEY,
    start_ms BIGINT NOT NULL,
    used     BIGINT NOT NULL
) WITHOUT ROWID;

-- Once in each window of each cap: it went over the threshold, it was used up.
CREATE TABLE budget_event (
    id              TEXT NOT NULL,                -- UUIDv7
    ts_ms           BIGINT NOT NULL,
    kind            TEXT NOT NULL,                -- warning exceeded
    scope           TEXT NOT NULL,                -- global agent provider user
    scope_id        TEXT NOT NULL,
    unit            TEXT NOT NULL,                -- usd tokens
    span            TEXT NOT NULL,                -- hourly daily monthly
    window_start_ms BIGINT NOT NULL,
    spent           BIGINT NOT NULL,              -- nano-dollars or tokens
    cap             BIGINT NOT NULL,
    PRIMARY KEY (scope, scope_id, unit, span, window_start_ms, kind, cap)
) WITHOUT ROWID;
CREATE INDEX budget_event_ts ON budget_event(ts_ms);
