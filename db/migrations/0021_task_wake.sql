-- 0021_task_wake: whoever is given a task is woken for it, again and again until it is taken.
-- min_reader: 1
ALTER TABLE task ADD COLUMN wake_ms BIGINT;                        -- when next; NULL: not
ALTER TABLE task ADD COLUMN wakes BIGINT NOT NULL DEFAULT 0;       -- so often already
ALTER TABLE task ADD COLUMN depth BIGINT NOT NULL DEFAULT 0;       -- events in a row that led to it
CREATE INDEX task_wake ON task(wake_ms) WHERE wake_ms IS NOT NULL;
