-- 0024_budget_event: the key in front. SQLite 3.40's integrity check takes columns of such a table for NULL that stand before and
-- between those of its key, and a store that had reached a limit was called damaged.
-- min_reader: 1
CREATE TABLE budget_event_next (
    scope           TEXT NOT NULL,                -- global agent provider user
    scope_id        TEXT NOT NULL,
    unit            TEXT NOT NULL,                -- usd tokens
    span            TEXT NOT NULL,                -- hourly daily monthly
    window_start_ms BIGINT NOT NULL,
    kind            TEXT NOT NULL,                -- warning exceeded
    cap             BIGINT NOT NULL,
    spent           BIGINT NOT NULL,              -- nano-dollars or tokens
    ts_ms           BIGINT NOT NULL,
    id              TEXT NOT NULL,                -- UUIDv7
    PRIMARY KEY (scope, scope_id, unit, span, window_start_ms, kind, cap)
) WITHOUT ROWID;
INSERT INTO budget_event_next (scope, scope_id, unit, span, window_start_ms, kind, cap, spent, ts_ms, id)
    SELECT scope, scope_id, unit, span, window_start_ms, kind, cap, spent, ts_ms, id FROM budget_event;
DROP TABLE budget_event;
ALTER TABLE budget_event_next RENAME TO budget_event;
CREATE INDEX budget_event_ts ON budget_event(ts_ms);
