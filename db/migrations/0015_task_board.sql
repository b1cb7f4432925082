-- 0015_task_board: work that agents put up for each other.
-- min_reader: 1
CREATE TABLE task (
    id           TEXT NOT NULL PRIMARY KEY,
    title        TEXT NOT NULL,
    description  TEXT NOT NULL,
    status       TEXT NOT NULL,                -- pending in_progress completed failed cancelled
    priority     BIGINT NOT NULL DEFAULT 0,
    assigned_to  TEXT NOT NULL DEFAULT '',     -- an agent's id or name; '': whoever takes it
    created_by   TEXT NOT NULL,                -- an agent's id
    result       TEXT,
    retry_count  BIGINT NOT NULL DEFAULT 0,
    created_ms   BIGINT NOT NULL,
    claimed_ms   BIGINT,
    completed_ms BIGINT
);
CREATE INDEX task_status ON task(status, priority, created_ms);
