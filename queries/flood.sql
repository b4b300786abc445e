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
-- Decided by busy_minutes() and counts alone, and so also of clients that bots() calls something else: a minute is flooded if its pages reach per_minute and
-- rise times the usual, by that many clients, which load hardly any asset. Minutes up to five apart are one flood. A shape whose
-- clients come from one flooded range is told once, as the range. A newsletter or a link on a busy page is none: its people load assets.
WITH
busy AS (
    SELECT * FROM busy_minutes($since, $until, $per_minute, $rise)
),
-- All that was asked for in these minutes, and up to five later, in which a flood may pause.
minutes AS (
    SELECT DISTINCT unnest(minute_range(minute, minute + INTERVAL '6 minutes')) AS minute FROM busy
),
asked AS (
    SELECT r.minute, r.time, r.client, ip_neighbourhood(r.client) AS prefix,
           path_template(r.path) AS shape, is_asset(r.path) AS asset, r.source, r.line_offset
    FROM minutes m
    JOIN (SELECT date_trunc('minute', time) AS minute, time, client, path, source, line_offset
          FROM requests
          WHERE time >= $since AND time < $until AND bot <> 'probe') r ON r.minute = m.minute
),
-- Each request as one of its network, and as one for its path.
parts AS (
    SELECT 'prefix' AS by, prefix AS what, asked.* FROM asked
    UNION ALL
    SELECT 'shape' AS by, shape AS what, asked.* FROM asked
),
-- What each client asked for in a minute: pages, and what belongs to them.
clients AS (
    SELECT client, minute, count(*) AS requests, count(*) FILTER (WHERE asset) AS assets FROM asked GROUP BY 1, 2
),
-- Who took part in a busy minute, and what else they asked for in it.
senders AS (
    SELECT p.by, p.what, p.minute, p.client, max(c.requests) AS requests, max(c.assets) AS assets
    FROM busy b
    JOIN parts p ON p.by = b.by AND p.what = b.what AND p.minute = b.minute
    JOIN clients c ON c.client = p.client AND c.minute = p.minute
    WHERE NOT p.asset OR p.by = 'prefix'
    GROUP BY 1, 2, 3, 4
),
all_of_senders AS (
    SELECT by, what, minute, count(*) AS clients, sum(requests) AS all_requests, sum(assets) AS all_assets
    FROM senders
    GROUP BY 1, 2, 3
),
flooded AS (
    SELECT b.by, b.what, b.minute, b.pages, b.usual, s.all_requests, s.all_assets,
           CASE WHEN b.minute <= lag(b.minute) OVER (PARTITION BY b.by, b.what ORDER BY b.minute) + INTERVAL '5 minutes' THEN 0 ELSE 1 END AS begins
    FROM busy b JOIN all_of_senders s ON s.by = b.by AND s.what = b.what AND s.minute = b.minute
    WHERE s.clients >= $clients AND s.all_assets < $assets * s.all_requests
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
    JOIN parts a ON a.by = f.by AND a.what = f.what AND a.minute >= f.start AND a.minute < f."end"
    GROUP BY f.by, f.what, f.start, f."end", f.peak, f.usual, f.all_requests, f.all_assets
),
top_paths AS (
    SELECT by, what, start, first_value(shape ORDER BY n DESC, shape) AS top_path
    FROM (
        SELECT f.by, f.what, f.start, a.shape, count(*) AS n
        FROM floods f
        JOIN parts a ON a.by = f.by AND a.what = f.what AND a.minute >= f.start AND a.minute < f."end"
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
