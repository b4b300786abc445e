-- title: Cache
-- question: What did the cache save?
-- report: Requests
-- needs: upstream_cache_status
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- chart: bar x=upstream_cache_status y=requests
--
-- One row per answer of the cache: upstream_cache_status (HIT, MISS, …; NULL: not logged, or not asked), requests, share (of all requests, 0 to 1), errors (bad
-- answers), bytes (of bodies).
--
-- Decided by outcome().
SELECT upstream_cache_status,
       count(*) AS requests,
       CAST(count(*) AS DOUBLE) / sum(count(*)) OVER () AS share,
       count(*) FILTER (WHERE outcome(status, request_time, upstream_status) = 'bad') AS errors,
       coalesce(sum(body_bytes_sent), 0) AS bytes
FROM requests
WHERE time >= $since AND time < $until
GROUP BY upstream_cache_status
ORDER BY requests DESC, upstream_cache_status
