-- title: Top paths
-- question: What was asked for most, and how did it go?
-- report: Requests
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: assets int = 0 (1: style sheets, scripts, images and fonts too)
-- param: top int = 20 (rows)
-- chart: bar x=path y=requests
--
-- One row per path: path (NULL: the request had none), requests, people (requests by people), errors (bad answers), bytes (of bodies),
-- p95_s (95 % of the answers took at most so many seconds; NULL when request_time is not logged).
--
-- Decided by visitors() and outcome(). Simplified as said there.
SELECT r.path,
       count(*) AS requests,
       count(*) FILTER (WHERE v.class = 'human') AS people,
       count(*) FILTER (WHERE outcome(r.status, r.request_time, r.upstream_status) = 'bad') AS errors,
       coalesce(sum(r.body_bytes_sent), 0) AS bytes,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY r.request_time) AS p95_s
FROM visitors($since, $until) v
JOIN requests r
  ON (v.client IS NOT DISTINCT FROM r.client) AND (v.http_user_agent IS NOT DISTINCT FROM r.http_user_agent)
WHERE r.time >= $since AND r.time < $until
  AND ($assets = 1 OR NOT is_asset(r.path))
GROUP BY r.path
ORDER BY requests DESC, r.path
LIMIT $top
