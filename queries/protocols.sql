-- title: Methods and protocols
-- question: How was asked?
-- report: Requests
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: top int = 20 (rows)
-- chart: bar x=request_method y=requests
--
-- One row per method and protocol: request_method and server_protocol (NULL: the request had none), requests, share (of all requests, 0 to 1), errors (bad
-- answers).
--
-- Decided by outcome().
SELECT request_method, server_protocol,
       count(*) AS requests,
       CAST(count(*) AS DOUBLE) / sum(count(*)) OVER () AS share,
       count(*) FILTER (WHERE outcome(status, request_time, upstream_status) = 'bad') AS errors
FROM requests
WHERE time >= $since AND time < $until
GROUP BY request_method, server_protocol
ORDER BY requests DESC, request_method, server_protocol
LIMIT $top
