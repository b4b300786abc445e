-- title: Judged spikes
-- question: Which stretches have too many errors, and whose are they?
-- param: learned_since timestamp = report.since (what is normal is learned from here on: begin four weeks before the window)
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: min_requests int = 5 (requests in a window; how likely so many errors are by chance is asked anyway)
-- param: min_errors int = 5 (errors in a window; fewer can be one person pressing reload)
--
-- A table for other queries: judged_spikes(learned_since, since, until, min_requests, min_errors), a row per spike.
-- number (from 1, by start), start, end (exclusive), opened (when it was clear), server_name (NULL: not logged), path (a template such as /item/{id}; NULL: the whole
-- server), requests and bad (good and bad ones of visitors, without scanners, floods and probes), baseline (the share that still counted
-- as normal), single_client (one client made more than 80 % of the errors), top_client and top_status (of the minute and sender with the
-- most errors).
--
-- Decided by deciding_requests(), who counts, and by error_spike(), learned from learned_since on.
-- Series of one server that overlap are one spike: that of the path which has at least 80 % of the errors, else that of the whole server.
WITH
-- Each server as a whole is a series, and so is each path of it.
live AS (
    SELECT count(*) FILTER (WHERE whole = 0) + count(DISTINCT server_name) + coalesce(max(CASE WHEN server_name IS NULL THEN 1 ELSE 0 END), 0) AS series
    FROM error_counts($learned_since, $until)
),
-- A path with fewer errors in all than a window needs has no spike: only the others are counted minute by minute.
erring AS (
    SELECT server_name, path
    FROM error_counts($learned_since, $until)
    WHERE whole = 0 AND bad >= $min_errors
),
counted AS (
    SELECT server_name, path, whole, minute, n, bad FROM error_counts($learned_since, $until) WHERE whole = 1
    UNION ALL
    SELECT d.server_name, d.path, 0, d.minute, count(*), count(*) FILTER (WHERE d.is_bad)
    FROM erring e
    JOIN deciding_requests($learned_since, $until) d
      ON (e.server_name IS NOT DISTINCT FROM d.server_name) AND (e.path IS NOT DISTINCT FROM d.path)
    GROUP BY d.server_name, d.path, d.minute
),
-- Whose and which they are is asked of errors alone.
senders AS (
    SELECT server_name, path, grouping(path) AS whole, minute, client, status, count(*) AS bad
    FROM deciding_requests($learned_since, $until)
    WHERE is_bad
    GROUP BY GROUPING SETS ((server_name, path, minute, client, status), (server_name, minute, client, status))
),
top_senders AS (
    SELECT server_name, path, whole, minute,
           first_value(client ORDER BY bad DESC, client, status) AS top_client,
           first_value(status ORDER BY bad DESC, client, status) AS top_status,
           max(bad) AS bad_of_top_client
    FROM senders
    GROUP BY server_name, path, whole, minute
),
series AS (
    SELECT compact(c.server_name) AS server_name, compact(c.path) AS path, c.whole, c.minute, c.n, c.bad,
           compact(t.top_client) AS top_client, t.top_status, coalesce(t.bad_of_top_client, 0) AS bad_of_top_client
    FROM top_senders t
    RIGHT JOIN counted c
      ON t.minute = c.minute AND t.whole = c.whole
     AND (t.server_name IS NOT DISTINCT FROM c.server_name) AND (t.path IS NOT DISTINCT FROM c.path)
),
judged AS (
    SELECT *, error_spike(named_struct(
               'server_name', server_name, 'path', path, 'whole', whole,
               'minute', minute, 'bad', bad, 'n', n, 'bad_of_top_client', bad_of_top_client, 'top_client', top_client,
               'k_min', $min_errors, 'n_min', $min_requests, 'live', (SELECT series FROM live)))
           OVER (ORDER BY whole, server_name, path, minute) AS spike
    FROM series
),
spikes AS (
    SELECT server_name, path, whole,
           get_field(spike, 'start') AS start, get_field(spike, 'end') AS "end",
           sum(n) AS requests, sum(bad) AS bad,
           min(get_field(spike, 'opened')) AS opened,
           max(get_field(spike, 'baseline')) AS baseline,
           bool_or(get_field(spike, 'single_client')) AS single_client,
           first_value(top_client ORDER BY bad_of_top_client DESC, minute) AS top_client,
           first_value(top_status ORDER BY bad_of_top_client DESC, minute) AS top_status
    FROM judged
    WHERE get_field(spike, 'start') IS NOT NULL AND get_field(spike, 'end') > $since
    GROUP BY server_name, path, whole, get_field(spike, 'start'), get_field(spike, 'end')
),
-- Numbers the stretches of a server in which spikes overlap.
touching AS (
    SELECT *, max("end") OVER (PARTITION BY server_name ORDER BY start, whole DESC, path
                               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS until
    FROM spikes
),
stretches AS (
    SELECT *, sum(CASE WHEN until >= start THEN 0 ELSE 1 END)
                  OVER (PARTITION BY server_name ORDER BY start, whole DESC, path
                        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS stretch
    FROM touching
),
-- Spikes of one series in a stretch are one: another series shows that it was not over between them.
joined AS (
    SELECT server_name, stretch, path, whole,
           min(start) AS start, max("end") AS "end", min(opened) AS opened, sum(requests) AS requests, sum(bad) AS bad,
           max(baseline) AS baseline, bool_and(single_client) AS single_client,
           first_value(top_client ORDER BY bad DESC, start) AS top_client,
           first_value(top_status ORDER BY bad DESC, start) AS top_status
    FROM stretches
    GROUP BY server_name, stretch, path, whole
),
-- Within a stretch the narrowest series that has nearly all of the errors speaks for all, from when the first of them told.
fitting AS (
    SELECT *, CASE WHEN whole = 0 AND bad * 5 >= errors * 4 THEN 0 WHEN whole = 1 THEN 1 ELSE 2 END AS fit
    FROM (SELECT *, max(bad) OVER (PARTITION BY server_name, stretch) AS errors,
                 min(opened) OVER (PARTITION BY server_name, stretch) AS told
          FROM joined)
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY server_name, stretch ORDER BY fit, bad DESC, start, path) AS rank FROM fitting
)
SELECT row_number() OVER (ORDER BY start, server_name, path) AS number,
       start, "end", greatest(told, start) AS opened, server_name, path, requests, bad, baseline, single_client, top_client, top_status
FROM ranked
WHERE rank = 1
