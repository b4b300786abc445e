-- title: Largest answers
-- question: Which single answers were largest?
-- report: Slowest and largest
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: top int = 20 (rows)
--
-- One row per request: time, path (NULL: the request had none), status, bytes (of the body), client.
SELECT time, path, status, body_bytes_sent AS bytes, client
FROM requests
WHERE time >= $since AND time < $until AND body_bytes_sent > 0
ORDER BY body_bytes_sent DESC, time, source, line_offset
LIMIT $top
