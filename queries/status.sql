-- title: Status codes
-- question: What did we answer?
-- report: Requests
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- chart: bar x=status y=requests
--
-- One row per status: status (NULL: none was logged), requests, share (of all requests, 0 to 1), bytes (of bodies).
SELECT status,
       count(*) AS requests,
       CAST(count(*) AS DOUBLE) / sum(count(*)) OVER () AS share,
       coalesce(sum(body_bytes_sent), 0) AS bytes
FROM requests
WHERE time >= $since AND time < $until
GROUP BY status
ORDER BY requests DESC, status
