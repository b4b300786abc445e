-- title: Against the week before
-- question: What changed against the same days of the week before?
-- report: What changed
-- none: There is no request in the same days of the week before.
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
--
-- One row per measure: measure, now (in the window, of a longer one its last seven days), before (the same weekdays and times a week earlier), change_share
-- (how much more or less that is, of before; NULL where there was nothing).
--
-- Decided by outcome(), and by `bot`: requests of no known bot do not show by themselves that no person sent them. Who else is none, is for `classes` to tell.
WITH
asked AS (
    SELECT time >= greatest($since, $until - INTERVAL '7 days') AS is_now, client, status, body_bytes_sent, bot,
           outcome(status, request_time, upstream_status) = 'bad' AS is_bad
    FROM requests
    WHERE time >= greatest($since, $until - INTERVAL '7 days') - INTERVAL '7 days' AND time < $until
      AND (time >= greatest($since, $until - INTERVAL '7 days') OR time < $until - INTERVAL '7 days')
),
counted AS (
    SELECT is_now,
           count(*) AS requests,
           count(*) FILTER (WHERE bot = 'none') AS people,
           count(DISTINCT client) AS clients,
           count(*) FILTER (WHERE is_bad) AS errors,
           count(*) FILTER (WHERE status BETWEEN 400 AND 499) AS refused,
           coalesce(sum(body_bytes_sent), 0) AS bytes
    FROM asked
    GROUP BY is_now
),
measures AS (
    SELECT rank, measure, is_now,
           CASE rank WHEN 1 THEN requests WHEN 2 THEN people WHEN 3 THEN clients
                     WHEN 4 THEN errors WHEN 5 THEN refused ELSE bytes END AS number
    FROM counted
    CROSS JOIN (VALUES (1, 'requests'), (2, 'requests of no known bot'), (3, 'clients'),
                       (4, 'errors'), (5, 'answers 4xx'), (6, 'bytes')) AS named (rank, measure)
),
compared AS (
    SELECT rank, measure,
           coalesce(sum(number) FILTER (WHERE is_now), 0) AS now,
           sum(number) FILTER (WHERE NOT is_now) AS before
    FROM measures
    GROUP BY rank, measure
)
SELECT measure, now, before,
       CASE WHEN before > 0 THEN CAST(now - before AS DOUBLE) / before END AS change_share
FROM compared
WHERE before IS NOT NULL
ORDER BY rank
