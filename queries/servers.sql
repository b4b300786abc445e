-- title: Server names
-- question: Which virtual servers were asked, and how did they fare?
-- report: Traffic
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- chart: bar x=server_name y=requests
--
-- One row per server name: server_name (NULL: neither the log nor nginx.conf says it), requests, share (of all requests, 0 to 1), errors (bad
-- answers), bytes (of bodies).
--
-- Decided by outcome().
SELECT server_name,
       count(*) AS requests,
       CAST(count(*) AS DOUBLE) / sum(count(*)) OVER () AS share,
       count(*) FILTER (WHERE outcome(status, request_time, upstream_status) = 'bad') AS errors,
       coalesce(sum(body_bytes_sent), 0) AS bytes
FROM requests
WHERE time >= $since AND time < $until
GROUP BY server_name
ORDER BY requests DESC, server_name
