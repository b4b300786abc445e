-- title: Floods
-- question: When did too many requests come from one network, or for one thing from everywhere?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: per_minute int = 60 (pages a minute: one a second, which no person keeps up)
-- param: clients int = 5 (addresses: fewer are a matter of single clients, which `bots` tells)
-- param: assets float = 0.2 (share of requests for assets below which nobody loads what pages need)
-- param: rise float = 10.0 (times the usual: what is asked for often anyway is no flood)
--
-- One row per flood: start, end (exclusive), by (prefix: from one /24 or /64; shape: for one path from anywhere), what (the range, or the
-- path's template), requests, clients, peak (pages in the busiest minute), usual (the median of its minutes in the window, those without
-- a request included), asset_share (of all that those clients asked meanwhile, 0 to 1), top_path, line (`source:offset` of its first request).
--
-- Decided by counts alone, and so also of clients that bots() calls something else: a minute is flooded if its pages reach per_minute and
-- rise times the usual, by that many clients, which load hardly any asset. Minutes up to five apart are one flood. A shape whose
-- clients come from one flooded range is told once, as the range. A newsletter or a link on a busy page is none: its people load assets.
WITH
asked AS (
    SELECT date_trunc('minute', time) AS minute, time, client, ip_neighbourhood(client) AS prefix,
           path_template(path) AS shape, is_asset(path) AS asset, source, line_offset
    FROM requests
    WHERE time >= $since AND time < $until AND bot <> 'probe'
),
-- What each client asked in a minute: a page, and what belongs to it.
clients AS (
    SELECT client, minute, count(*) AS requests, count(*) FILTER (WHERE asset) AS assets FROM asked GROUP BY 1, 2
),
counted AS (
    SELECT by, what, minute, sum(pages) AS pages, count(DISTINCT client) AS clients,
           sum(all_requests) AS all_requests, sum(all_assets) AS all_assets
    FROM (
        SELECT 'prefix' AS by, a.prefix AS what, a.minute, a.client,
               count(*) FILTER (WHERE NOT a.asset) AS pages, max(c.requests) AS all_requests, max(c.assets) AS all_assets
        FROM asked a JOIN clients c ON a.client = c.client AND a.minute = c.minute
        GROUP BY 1, 2, 3, 4
        UNION ALL
        SELECT 'shape', a.shape, a.minute, a.client,
               count(*), max(c.requests), max(c.assets)
        FROM asked a JOIN clients c ON a.client = c.client AND a.minute = c.minute
        WHERE NOT a.asset
        GROUP BY 1, 2, 3, 4
    )
    WHERE what IS NOT NULL
    GROUP BY by, what, minute
),
-- The median over all minutes of the window is 0 for what is asked for in less than half of them.
usual AS (
    SELECT by, what,
           CASE WHEN 2 * count(*) < (extract(epoch FROM $until) - extract(epoch FROM $since)) / 60 THEN 0.0
                ELSE percentile_cont(0.5) WITHIN GROUP (ORDER BY pages) END AS usual
    FROM counted
    GROUP BY by, what
),
flooded AS (
    SELECT c.*, u.usual,
           CASE WHEN c.minute <= lag(c.minute) OVER (PARTITION BY c.by, c.what ORDER BY c.minute) + INTERVAL '5 minutes' THEN 0 ELSE 1 END AS begins
    FROM counted c JOIN usual u ON c.by = u.by AND c.what = u.what
    WHERE c.pages >= $per_minute AND c.clients >= $clients AND c.pages >= $rise * u.usual
      AND c.all_assets < $assets * c.all_requests
),
numbered AS (
    SELECT *, sum(begins) OVER (PARTITION BY by, what ORDER BY minute ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS flood FROM flooded
),
floods AS (
    SELECT by, what, flood, min(minute) AS start, max(minute) + INTERVAL '1 minute' AS "end",
           max(pages) AS peak, max(usual) AS usual, sum(all_requests) AS all_requests, sum(all_assets) AS all_assets
    FROM numbered
    GROUP BY by, what, flood
),
described AS (
    SELECT f.by, f.what, f.start, f."end", f.peak, f.usual, f.all_requests, f.all_assets,
           count(*) AS requests, count(DISTINCT a.client) AS clients, count(DISTINCT a.prefix) AS prefixes,
           first_value(a.source || ':' || CAST(a.line_offset AS VARCHAR) ORDER BY a.time, a.source, a.line_offset) AS line
    FROM floods f
    JOIN asked a ON a.minute >= f.start AND a.minute < f."end" AND CASE f.by WHEN 'prefix' THEN a.prefix ELSE a.shape END = f.what
    GROUP BY f.by, f.what, f.start, f."end", f.peak, f.usual, f.all_requests, f.all_assets
),
top_paths AS (
    SELECT by, what, start, first_value(shape ORDER BY n DESC, shape) AS top_path
    FROM (
        SELECT f.by, f.what, f.start, a.shape, count(*) AS n
        FROM floods f
        JOIN asked a ON a.minute >= f.start AND a.minute < f."end" AND CASE f.by WHEN 'prefix' THEN a.prefix ELSE a.shape END = f.what
        GROUP BY 1, 2, 3, 4
    )
    GROUP BY by, what, start
)
SELECT d.start, d."end", d.by, d.what, d.requests, d.clients, d.peak, d.usual,
       CAST(d.all_assets AS DOUBLE) / d.all_requests AS asset_share,
       t.top_path, d.line
FROM described d
JOIN top_paths t ON t.by = d.by AND t.what = d.what AND t.start = d.start
WHERE d.by = 'prefix' OR d.prefixes > 1
ORDER BY d.start, d.by, d.what
