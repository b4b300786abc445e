-- title: Error counts
-- question: How many answers were good and bad, by minute of each server and by path?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
--
-- A table for other queries: error_counts(since, until), a row per server and minute (whole = 1, path NULL), and one per server and path (whole = 0, minute
-- NULL): server_name, path, minute, whole, n (good and bad answers), bad.
--
-- Decided by deciding_requests(). Simplified as said there.
SELECT server_name, path, minute, grouping(path) AS whole,
       count(*) AS n,
       count(*) FILTER (WHERE is_bad) AS bad
FROM deciding_requests($since, $until)
GROUP BY GROUPING SETS ((server_name, minute), (server_name, path))
