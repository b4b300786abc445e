-- title: Not found
-- question: Which paths that nobody has were asked for, and who sends people there?
-- report: Requests
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: top int = 20 (rows)
-- chart: bar x=path y=requests
--
-- One row per path answered 404 or 410 to who does not show by itself that it is no person: path, requests, clients (distinct addresses), http_referer
-- (one that sent somebody there; NULL: none did).
SELECT path,
       count(*) AS requests,
       count(DISTINCT client) AS clients,
       min(http_referer) AS http_referer
FROM requests
WHERE time >= $since AND time < $until AND status IN (404, 410) AND bot = 'none'
GROUP BY path
ORDER BY requests DESC, path
LIMIT $top
