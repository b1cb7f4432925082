-- 0019_usage_agent: what an agent cost in a day and how long its calls took is read from the index alone.
-- min_reader: 1
DROP INDEX usage_agent;
CREATE INDEX usage_agent ON usage_event(agent_id, ts_ms, cost_nanousd, latency_ms);
