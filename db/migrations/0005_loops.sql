-- 0005_loops: agents that act by themselves: when next, and what their loops remember.
-- min_reader: 1
CREATE TABLE agent_loop (
    agent_id  TEXT NOT NULL PRIMARY KEY REFERENCES agent(id) ON DELETE CASCADE,
    plan      TEXT NOT NULL,                   -- what it was planned by; another plan is planned anew
    lane      TEXT NOT NULL,                   -- main cron trigger
    due_ms    BIGINT,                          -- the next slot; NULL: none
    slot_ms   BIGINT NOT NULL DEFAULT 0,       -- the one claimed last
    expect_ms BIGINT NOT NULL DEFAULT 0,       -- the first one since the agent was heard of last
    said      TEXT,                            -- a proactive agent: what has happened, as a JSON array of texts
    depth     BIGINT NOT NULL DEFAULT 0,       -- of the chain of events that leads to it
    limited   BIGINT NOT NULL DEFAULT 0,       -- rate-limited slots in a row
    stopped   TEXT,                            -- why there is no next slot
    silent    BIGINT NOT NULL DEFAULT 0        -- the heartbeat has said so
);
CREATE INDEX agent_loop_due ON agent_loop(due_ms) WHERE due_ms IS NOT NULL;
