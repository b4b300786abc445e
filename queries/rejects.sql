-- title: Rejected lines
-- question: Which lines could not be read, and why?
-- report: Small print
-- none: Every line could be read.
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
--
-- One row per reason: reason, rejects, bytes (of the lines), first and last (time of the nearest earlier good line), raw (the first such line).
SELECT reason,
       count(*) AS rejects,
       sum(line_bytes) AS bytes,
       min(time) AS first,
       max(time) AS last,
       first_value(raw ORDER BY time, source, line_offset) AS raw
FROM rejects
WHERE time >= $since AND time < $until
GROUP BY reason
ORDER BY rejects DESC, reason
