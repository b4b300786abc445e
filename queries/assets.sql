-- title: Static files
-- question: Which style sheets, scripts, images and fonts cost most?
-- report: Requests
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: top int = 20 (rows)
-- chart: bar x=path y=bytes
--
-- One row per path of a style sheet, script, image, font or the like: path, requests, not_modified (answered 304), errors (bad answers), bytes (of bodies).
SELECT path,
       count(*) AS requests,
       count(*) FILTER (WHERE status = 304) AS not_modified,
       count(*) FILTER (WHERE outcome(status, request_time, upstream_status) = 'bad') AS errors,
       coalesce(sum(body_bytes_sent), 0) AS bytes
FROM requests
WHERE time >= $since AND time < $until AND is_asset(path)
GROUP BY path
ORDER BY bytes DESC, path
LIMIT $top
