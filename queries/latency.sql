-- title: Latency by path
-- question: Which kinds of pages are slow, and for how many?
-- report: Latency
-- needs: request_time
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: top int = 20 (rows)
-- chart: bar x=path y=p90_s
--
-- One row per path template such as /item/{id}, style sheets, scripts, images and fonts left out: path (NULL: the request had none), requests (with a
-- time), p50_s, p90_s, p99_s (so many percent took at most so many seconds), max_s.
SELECT path_template(path) AS path,
       count(*) AS requests,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY request_time) AS p50_s,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY request_time) AS p90_s,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY request_time) AS p99_s,
       max(request_time) AS max_s
FROM requests
WHERE time >= $since AND time < $until AND request_time IS NOT NULL AND NOT is_asset(path)
GROUP BY 1
ORDER BY requests DESC, path
LIMIT $top
