-- title: Upstreams
-- question: Which upstream failed, and which is slow?
-- report: Requests
-- needs: upstream_addr
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: top int = 20 (rows)
-- chart: bar x=upstream_addr y=requests
--
-- One row per upstream: upstream_addr (as logged: all that were tried, in order; `-`: none was asked), requests, share (of all requests, 0 to 1), errors
-- (bad answers), p95_s (95 % of the answers took at most so many seconds; NULL when request_time is not logged).
--
-- Decided by outcome().
SELECT upstream_addr,
       count(*) AS requests,
       CAST(count(*) AS DOUBLE) / sum(count(*)) OVER () AS share,
       count(*) FILTER (WHERE outcome(status, request_time, upstream_status) = 'bad') AS errors,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY request_time) AS p95_s
FROM requests
WHERE time >= $since AND time < $until
GROUP BY upstream_addr
ORDER BY requests DESC, upstream_addr
LIMIT $top
