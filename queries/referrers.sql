-- title: Referring sites
-- question: Which other sites send requests here?
-- report: Requests
-- needs: http_referer
-- none: No other site sent anybody here.
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: top int = 20 (rows)
-- chart: bar x=site y=requests
--
-- One row per site in `http_referer` that is not the server asked: site (its name as sent), requests, people (requests that do not show by themselves
-- that no person sent them), path (the one most sent to).
WITH sent AS (
    SELECT split_part(split_part(http_referer, '://', 2), '/', 1) AS site, server_name, path, bot,
           count(*) AS requests
    FROM requests
    WHERE time >= $since AND time < $until AND http_referer IS NOT NULL
    GROUP BY 1, 2, 3, 4
)
SELECT site,
       sum(requests) AS requests,
       coalesce(sum(requests) FILTER (WHERE bot = 'none'), 0) AS people,
       first_value(path ORDER BY requests DESC, path, bot, server_name) AS path
FROM sent
WHERE site <> '' AND site IS DISTINCT FROM server_name
GROUP BY site
ORDER BY requests DESC, site
LIMIT $top
