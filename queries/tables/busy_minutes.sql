-- title: Busy minutes
-- question: In which minutes did one network, or everybody together, ask for far more pages than usual?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: per_minute int = 60 (pages a minute: one a second, which no person keeps up)
-- param: rise float = 10.0 (times the usual: what is asked for often anyway is no flood)
--
-- A table for other queries: busy_minutes(since, until, per_minute, rise), a row for each such minute.
-- by (prefix: from one /24 or /64; shape: for one path from anywhere), what (the range, or the path's template), minute, pages (requests for no
-- asset, without probes), usual (their median in the minutes of the window, those without a request included).
WITH
asked AS (
    SELECT date_trunc('minute', time) AS minute, client, path
    FROM requests
    WHERE time >= $since AND time < $until AND bot <> 'probe' AND NOT is_asset(path)
),
-- Only a network that asks for so much in all of the window can do so in a minute.
frequent AS (
    SELECT client, prefix
    FROM (
        SELECT client, prefix, sum(pages) OVER (PARTITION BY prefix) AS pages
        FROM (SELECT compact(client) AS client, ip_neighbourhood(client) AS prefix, count(*) AS pages FROM asked GROUP BY client)
    )
    WHERE pages >= $per_minute AND prefix IS NOT NULL
),
counted AS (
    SELECT 'prefix' AS by, compact(f.prefix) AS what, a.minute, count(*) AS pages
    FROM frequent f
    JOIN asked a ON a.client = f.client
    GROUP BY f.prefix, a.minute
    UNION ALL
    SELECT 'shape', compact(shape), minute, pages
    FROM (SELECT path_template(path) AS shape, minute, count(*) AS pages FROM asked WHERE path IS NOT NULL GROUP BY 1, 2)
),
-- The median over all minutes of the window is 0 for what is asked for in less than half of them.
usual AS (
    SELECT by, what, minute, pages,
           CASE WHEN 2 * count(*) OVER series < (extract(epoch FROM $until) - extract(epoch FROM $since)) / 60 THEN 0.0
                ELSE median(CAST(pages AS DOUBLE)) OVER series END AS usual
    FROM counted
    WINDOW series AS (PARTITION BY by, what)
)
SELECT by, what, minute, pages, usual
FROM usual
WHERE pages >= $per_minute AND pages >= $rise * usual
