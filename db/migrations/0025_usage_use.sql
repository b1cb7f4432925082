-- 0025_usage_use: who used what in a minute, so that the last hour is not counted call by call. id: the agent, the provider and the
-- model, a blank between them. What lies more than three hours back is trimmed anyway.
-- min_reader: 1
INSERT INTO usage_sum (span, start_ms, scope, id, input_tokens, output_tokens, cost_nanousd, tool_calls, calls, failed,
    latency_ms, latency_min_ms, latency_max_ms)
    SELECT 'minute', ts_ms - ts_ms % 60000, 'use', agent_id || ' ' || provider || ' ' || model, sum(input_tokens),
        sum(output_tokens), sum(cost_nanousd), sum(tool_calls), sum(llm_calls), sum(CASE WHEN status = 'ok' THEN 0 ELSE 1 END),
        sum(CASE WHEN status = 'ok' THEN latency_ms ELSE 0 END), min(CASE WHEN status = 'ok' THEN latency_ms END),
        max(CASE WHEN status = 'ok' THEN latency_ms END)
        FROM usage_event WHERE ts_ms >= (SELECT coalesce(max(ts_ms), 0) FROM usage_event) - 10800000 GROUP BY 2, 4;
