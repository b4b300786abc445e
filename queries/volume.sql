-- title: Volume
-- question: When did far more or far fewer requests come than usual?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: z float = 6.0 (robust standard deviations from the usual)
-- param: least int = 200 (requests in a quarter of an hour, usual or found: of fewer, a few busy visitors are much)
-- param: rise float = 2.0 (times the usual, or as much below: at busy sites a tenth more is many deviations and no event)
-- chart: bar x=start y=z
--
-- One row per stretch: start, end (exclusive), server_name (NULL: not logged), kind (surge, drop: of whom, is for `bots` and `flood` to tell), requests, usual (the medians of its quarters of
-- an hour together), z (of its quarter that stands out most).
--
-- Decided over quarters of an hour by robust_z() (median and median absolute deviation, which a few odd weeks cannot move), against the
-- same quarter and the two beside it in up to 4 earlier weeks; while these are fewer than 5, in up to 6 earlier days too. Fewer than 5 in all
-- judge nothing. The deviation is at least the square root of the median, that of a Poisson count.
-- From the table minutes alone, without probes. Simplified: quarters without a request are known from the first to the last one of all
-- logs together, also where nobody looked.
WITH
counted AS (
    SELECT server_name, date_bin(INTERVAL '15 minutes', minute) AS quarter, sum(total) AS requests
    FROM minutes
    WHERE minute >= $since - INTERVAL '28 days' AND minute < $until AND bot <> 'probe'
    GROUP BY 1, 2
),
-- The last quarter counts when it is over, and the first one when all of it was logged.
span AS (
    SELECT min(quarter) + INTERVAL '15 minutes' AS first, least(max(quarter), $until - INTERVAL '15 minutes') AS last FROM counted
),
every_quarter AS (
    SELECT DISTINCT date_bin(INTERVAL '15 minutes', minute) AS quarter,
           CAST(floor(extract(epoch FROM minute) / 900) AS BIGINT) AS number
    FROM (SELECT unnest(minute_range(first, last + INTERVAL '1 minute')) AS minute FROM span)
),
-- Not DISTINCT: DataFusion 55 would take a name for a key of all that follows, and leave out of the last GROUP BY what follows from it.
servers AS (
    SELECT unnest(array_agg(DISTINCT server_name)) AS server_name FROM counted
),
quarters AS (
    SELECT s.server_name, q.quarter, q.number, coalesce(c.requests, 0) AS requests
    FROM every_quarter q
    CROSS JOIN servers s
    LEFT JOIN counted c ON c.quarter = q.quarter AND (c.server_name IS NOT DISTINCT FROM s.server_name)
),
-- How far back the usual is looked for, in quarters of an hour.
lags AS (
    SELECT days * 96 + beside AS lag, days % 7 = 0 AS weekly
    FROM (VALUES (7), (14), (21), (28), (1), (2), (3), (4), (5), (6)) AS d (days)
    CROSS JOIN (VALUES (-1), (0), (1)) AS b (beside)
),
known AS (
    SELECT q.server_name, q.quarter, q.requests, e.requests AS earlier,
           l.weekly, sum(CASE WHEN l.weekly THEN 1 ELSE 0 END) OVER (PARTITION BY q.server_name, q.quarter) AS weeks
    FROM quarters q
    CROSS JOIN lags l
    JOIN quarters e ON (e.server_name IS NOT DISTINCT FROM q.server_name) AND e.number = q.number - l.lag
    WHERE q.quarter >= $since
),
comparable AS (
    SELECT server_name, quarter, requests, CAST(earlier AS DOUBLE) AS earlier FROM known WHERE weekly OR weeks < 5
),
medians AS (
    SELECT server_name, quarter, percentile_cont(0.5) WITHIN GROUP (ORDER BY earlier) AS usual
    FROM comparable
    GROUP BY server_name, quarter
    HAVING count(*) >= 5
),
judged AS (
    SELECT c.server_name, c.quarter, c.requests, m.usual,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(c.earlier - m.usual)) AS mad
    FROM comparable c
    JOIN medians m ON m.quarter = c.quarter AND (m.server_name IS NOT DISTINCT FROM c.server_name)
    GROUP BY c.server_name, c.quarter, c.requests, m.usual
),
scored AS (
    SELECT *, robust_z(CAST(requests AS DOUBLE), usual, mad, sqrt(greatest(usual, 1.0))) AS z FROM judged
),
odd AS (
    SELECT *, CASE WHEN z > 0 THEN 'surge' ELSE 'drop' END AS kind,
           lag(quarter) OVER (PARTITION BY server_name, z > 0 ORDER BY quarter) AS before
    FROM scored
    WHERE abs(z) >= $z AND greatest(requests, usual) >= $least
      AND (requests >= $rise * usual OR requests * $rise <= usual)
),
numbered AS (
    SELECT *, sum(CASE WHEN before = quarter - INTERVAL '15 minutes' THEN 0 ELSE 1 END)
                  OVER (PARTITION BY server_name, kind ORDER BY quarter ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS stretch
    FROM odd
)
SELECT min(quarter) AS start, max(quarter) + INTERVAL '15 minutes' AS "end", server_name, kind,
       sum(requests) AS requests,
       CAST(sum(CAST(usual AS DECIMAL(20, 1))) AS DOUBLE) AS usual,
       first_value(z ORDER BY abs(z) DESC, quarter) AS z
FROM numbered
GROUP BY server_name, kind, stretch
ORDER BY start, server_name, kind
