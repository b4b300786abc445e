-- title: Paths that changed
-- question: Which kinds of pages were asked for more, or less, than a week before?
-- report: What changed
-- none: There is no request in the same days of the week before.
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: top int = 20 (rows)
--
-- One row per path template such as /item/{id}, style sheets, scripts, images and fonts left out, most changed first: path (NULL: the request had none), now
-- (requests in the window, of a longer one in its last seven days), before (in the same weekdays and times a week earlier), change (how many more), errors and
-- errors_before (bad answers).
--
-- Decided by outcome().
WITH
counted AS (
    SELECT path_template(path) AS path, time >= greatest($since, $until - INTERVAL '7 days') AS is_now,
           count(*) AS requests,
           count(*) FILTER (WHERE outcome(status, request_time, upstream_status) = 'bad') AS errors
    FROM requests
    WHERE time >= greatest($since, $until - INTERVAL '7 days') - INTERVAL '7 days' AND time < $until
      AND (time >= greatest($since, $until - INTERVAL '7 days') OR time < $until - INTERVAL '7 days')
      AND NOT is_asset(path)
    GROUP BY 1, 2
),
compared AS (
    SELECT path,
           coalesce(sum(requests) FILTER (WHERE is_now), 0) AS now,
           coalesce(sum(requests) FILTER (WHERE NOT is_now), 0) AS before,
           coalesce(sum(errors) FILTER (WHERE is_now), 0) AS errors,
           coalesce(sum(errors) FILTER (WHERE NOT is_now), 0) AS errors_before
    FROM counted
    GROUP BY path
)
SELECT path, now, before, now - before AS change, errors, errors_before
FROM (SELECT *, sum(before) OVER () AS all_before FROM compared)
WHERE all_before > 0
ORDER BY abs(now - before) DESC, path
LIMIT $top
