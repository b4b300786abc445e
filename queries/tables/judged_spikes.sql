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
-- Decided by visitors(), who counts, and by error_spike(), learned from learned_since on; declared maintenance is left out.
-- Series of one server that overlap are one spike: that of the path which has at least 80 % of the errors, else that of the whole server.
WITH
asked AS (
    SELECT r.server_name, path_template(r.path) AS path, date_trunc('minute', r.time) AS minute, r.status,
           v.client, v.hidden,
           outcome(r.status, r.request_time, r.upstream_status) AS outcome
    FROM visitors($learned_since, $until) v
    JOIN requests r
      ON (v.client IS NOT DISTINCT FROM r.client) AND (v.http_user_agent IS NOT DISTINCT FROM r.http_user_agent)
    WHERE r.time >= $learned_since AND r.time < $until
      AND class_decides(v.class) AND NOT is_maintenance(r.time)
),
-- Whose and which they are is asked of errors alone.
decided AS (
    SELECT server_name, path, minute, outcome = 'bad' AS is_bad,
           -- Where a balancer hides who asks, nobody is known to be the only one.
           CASE WHEN outcome = 'bad' AND NOT hidden THEN client END AS client,
           CASE WHEN outcome = 'bad' THEN status END AS status
    FROM asked
    WHERE outcome IN ('good', 'bad')
),
-- Each server as a whole (whole = 1) and each path of it, by minute and sender of errors.
sent AS (
    SELECT server_name, path, grouping(path) AS whole, minute, client, status,
           count(*) AS n,
           count(*) FILTER (WHERE is_bad) AS bad
    FROM decided
    GROUP BY GROUPING SETS ((server_name, path, minute, client, status), (server_name, minute, client, status))
),
series AS (
    SELECT compact(server_name) AS server_name, compact(path) AS path, whole, minute,
           sum(n) AS n, sum(bad) AS bad,
           compact(first_value(client ORDER BY bad DESC, client, status)) AS top_client,
           first_value(status ORDER BY bad DESC, client, status) AS top_status,
           max(bad) AS bad_of_top_client
    FROM sent
    GROUP BY server_name, path, whole, minute
),
judged AS (
    SELECT *, error_spike(named_struct(
               'server_name', server_name, 'path', path, 'whole', whole,
               'minute', minute, 'bad', bad, 'n', n, 'bad_of_top_client', bad_of_top_client, 'top_client', top_client,
               'k_min', $min_errors, 'n_min', $min_requests))
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
