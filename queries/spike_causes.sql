-- title: Causes of error spikes
-- question: What do the errors of a spike have in common that other requests have not?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: min_requests int = 5 (as for `error_spikes`)
-- param: min_errors int = 5 (as for `error_spikes`)
-- param: spike int = 0 (the number of one spike, from 1 by start; 0: all)
-- param: share float = 0.05 (of a spike's errors: what has fewer explains little)
-- param: top int = 10 (causes of a spike)
--
-- One row per spike and value, the best explanation first: spike (its number), start, end, server_name, dimension (path, client, network,
-- class, status, upstream_status, agent), value, errors, requests (with this value during the spike), error_share (errors of all errors of the
-- spike), lift (how much more often the value stands with errors than with all requests: what has 1 explains nothing and is left out), score (lift times errors, by
-- which causes are ranked), line (`source:offset` of the first of the errors).
--
-- Decided by judged_spikes() and counts of what its server answered meanwhile. A status and the class of errors are the errors
-- themselves; their lift is high and says which kind they are. Lift shows what goes together, not what caused what.
WITH
spikes AS (
    SELECT * FROM judged_spikes($since - INTERVAL '28 days', $since, $until, $min_requests, $min_errors) WHERE $spike = 0 OR number = $spike
),
-- By minute, so that a request is held against the spikes of its minute alone.
spike_minutes AS (
    SELECT *, unnest(minute_range(start, "end")) AS minute FROM spikes
),
asked AS (
    SELECT s.number, s.start, s."end", r.server_name,
           outcome(r.status, r.request_time, r.upstream_status) = 'bad' AS is_bad,
           path_template(r.path) AS path, r.client, ip_neighbourhood(r.client) AS network, v.class,
           CAST(r.status AS VARCHAR) AS status, r.upstream_status, r.http_user_agent AS agent,
           r.time, r.source, r.line_offset
    FROM spike_minutes s
    JOIN requests r ON date_trunc('minute', r.time) = s.minute AND (r.server_name IS NOT DISTINCT FROM s.server_name)
    JOIN visitors($since - INTERVAL '28 days', $until) v
      ON (v.client IS NOT DISTINCT FROM r.client) AND (v.http_user_agent IS NOT DISTINCT FROM r.http_user_agent)
    WHERE r.time >= $since - INTERVAL '28 days' AND r.time < $until
      AND class_decides(v.class) AND NOT is_maintenance(r.time)
      AND outcome(r.status, r.request_time, r.upstream_status) IN ('good', 'bad')
),
valued AS (
    SELECT a.number, a.start, a."end", a.server_name, d.dimension,
           CASE d.dimension WHEN 'path' THEN a.path WHEN 'client' THEN a.client WHEN 'network' THEN a.network WHEN 'class' THEN a.class
                            WHEN 'status' THEN a.status WHEN 'upstream_status' THEN a.upstream_status ELSE a.agent END AS value,
           count(*) AS requests,
           count(*) FILTER (WHERE a.is_bad) AS errors,
           first_value(a.source || ':' || CAST(a.line_offset AS VARCHAR) ORDER BY NOT a.is_bad, a.time, a.source, a.line_offset) AS line
    FROM asked a
    CROSS JOIN (VALUES ('path'), ('client'), ('network'), ('class'), ('status'), ('upstream_status'), ('agent')) AS d (dimension)
    GROUP BY 1, 2, 3, 4, 5, 6
),
totals AS (
    SELECT number, count(*) AS requests, count(*) FILTER (WHERE is_bad) AS errors FROM asked GROUP BY number
),
shared AS (
    SELECT v.*, CAST(v.errors AS DOUBLE) / t.errors AS error_share,
           (CAST(v.errors AS DOUBLE) / t.errors) / (CAST(v.requests AS DOUBLE) / t.requests) AS lift
    FROM valued v
    JOIN totals t ON t.number = v.number
    WHERE v.value IS NOT NULL AND v.errors > 0 AND v.errors >= $share * t.errors
),
ranked AS (
    SELECT *, lift * errors AS score,
           row_number() OVER (PARTITION BY number ORDER BY lift * errors DESC, errors DESC, dimension, value) AS rank
    FROM shared
    WHERE lift > 1.0
)
SELECT number AS spike, start, "end", server_name, dimension, value, errors, requests, error_share, lift, score, line
FROM ranked
WHERE rank <= $top
ORDER BY number, rank
