-- title: Pulse
-- question: What comes in, minute by minute, at each server name?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- chart: line x=minute y=requests
--
-- One row per minute and server name with requests: minute, server_name (NULL: not logged), requests, clients (different ones; exact up to 64, else
-- within 2.3 %), bots (requests that show by themselves that no person sent them), bad (that say the site failed), bad_share (of good and
-- bad, 0 to 1; NULL without either), status_4xx, status_5xx, p95 (of request times, seconds, within 0.8 %; NULL where none are logged).
SELECT minute, server_name,
       sum(total) AS requests,
       hll_count(hll_merge(clients)) AS clients,
       coalesce(sum(total) FILTER (WHERE bot <> 'none'), 0) AS bots,
       sum(bad) AS bad,
       CASE WHEN sum(good) + sum(bad) > 0 THEN CAST(sum(bad) AS DOUBLE) / (sum(good) + sum(bad)) END AS bad_share,
       sum(status_4xx) AS status_4xx,
       sum(status_5xx) AS status_5xx,
       histogram_quantile(histogram_merge(request_time_histogram), 0.95) AS p95
FROM minutes
WHERE minute >= $since AND minute < $until
GROUP BY minute, server_name
ORDER BY minute, server_name
