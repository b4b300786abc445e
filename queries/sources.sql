-- title: Logs
-- question: What do these numbers rest on?
-- report: Small print
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: top int = 20 (rows)
--
-- One row per source with lines in the window: source (log set, first line, number), requests, rejects, gaps (stretches known to be lost), bytes (of its
-- lines), first and last (line in the window).
WITH kinds AS (
    SELECT source, count(*) AS requests, 0 AS rejects, 0 AS gaps, sum(line_bytes) AS bytes, min(time) AS first, max(time) AS last
    FROM requests WHERE time >= $since AND time < $until GROUP BY source
    UNION ALL
    SELECT source, 0, count(*), 0, sum(line_bytes), min(time), max(time)
    FROM rejects WHERE time >= $since AND time < $until GROUP BY source
    UNION ALL
    SELECT source, 0, 0, count(*), 0, min(time), max(time)
    FROM gaps WHERE time >= $since AND time < $until GROUP BY source
)
SELECT source,
       sum(requests) AS requests,
       sum(rejects) AS rejects,
       sum(gaps) AS gaps,
       sum(bytes) AS bytes,
       min(first) AS first,
       max(last) AS last
FROM kinds
GROUP BY source
ORDER BY first, source
LIMIT $top
