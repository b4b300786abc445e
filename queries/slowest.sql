-- title: Slowest requests
-- question: Which single requests took longest?
-- report: Slowest and largest
-- needs: request_time
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: top int = 20 (rows)
--
-- One row per request: time, path (NULL: the request had none), status, took_s (seconds from its first byte to the last of the answer), client.
SELECT time, path, status, request_time AS took_s, client
FROM requests
WHERE time >= $since AND time < $until AND request_time IS NOT NULL
ORDER BY request_time DESC, time, source, line_offset
LIMIT $top
