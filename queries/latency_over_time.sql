-- title: Latency over time
-- question: How long did requests take, and when did that change?
-- report: Latency
-- needs: request_time
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: tz text = report.tz (where days begin)
-- chart: line x=start y=p50_s,p95_s,p99_s
--
-- One row per hour, or per day if the window is longer than four days: start, requests (with a time), p50_s, p95_s and p99_s (so many percent took
-- at most so many seconds, within 0.8 %).
--
-- Simplified: in a zone whose clocks change within the window days begin an hour off after the change.
SELECT date_bin(CASE WHEN extract(epoch FROM $until) - extract(epoch FROM $since) > 4 * 86400
                     THEN INTERVAL '1 day' ELSE INTERVAL '1 hour' END,
                minute, week_start($since, $tz)) AS start,
       histogram_count(histogram_merge(request_time_histogram)) AS requests,
       histogram_quantile(histogram_merge(request_time_histogram), 0.5) AS p50_s,
       histogram_quantile(histogram_merge(request_time_histogram), 0.95) AS p95_s,
       histogram_quantile(histogram_merge(request_time_histogram), 0.99) AS p99_s
FROM minutes
WHERE minute >= $since AND minute < $until AND request_time_histogram IS NOT NULL
GROUP BY 1
ORDER BY 1
