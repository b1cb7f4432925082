-- 0027_usage_days: what was used of each model on a day, and how long that took, so that a view of some days is exact.
-- min_reader: 1
INSERT INTO usage_sum (span, start_ms, scope, id, input_tokens, output_tokens, cost_nanousd, tool_calls, calls, failed,
    latency_ms, latency_min_ms, latency_max_ms)
    SELECT 'day', ts_ms - ts_ms % 86400000, 'model', model, sum(input_tokens), sum(output_tokens), sum(cost_nanousd),
        sum(tool_calls), sum(llm_calls), sum(CASE WHEN status = 'ok' THEN 0 ELSE 1 END),
        sum(CASE WHEN status = 'ok' THEN latency_ms ELSE 0 END), min(CASE WHEN status = 'ok' THEN latency_ms END),
        max(CASE WHEN status = 'ok' THEN latency_ms END)
        FROM usage_event GROUP BY 2, 4;

-- How many calls of a model took how long; the bucket is a logarithm (usage.h). Of the days before this only the greatest time is
-- known. It takes the place of usage_latency, into which only older programs look.
CREATE TABLE usage_speed (
    start_ms BIGINT NOT NULL,                     -- of a day; 0: of all time
    model    TEXT NOT NULL,
    bucket   BIGINT NOT NULL,
    n        BIGINT NOT NULL,
    PRIMARY KEY (start_ms, model, bucket)
) WITHOUT ROWID;
INSERT INTO usage_speed (start_ms, model, bucket, n) SELECT 0, model, bucket, n FROM usage_latency;
