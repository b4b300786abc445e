-- title: Users
-- question: Who came by name and password?
-- report: Requests
-- none: Nobody gave a name.
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: top int = 20 (rows)
-- chart: bar x=remote_user y=requests
--
-- One row per user: remote_user, requests, denied (answered 401 or 403), clients (distinct addresses), last (request in the window).
SELECT remote_user,
       count(*) AS requests,
       count(*) FILTER (WHERE status IN (401, 403)) AS denied,
       count(DISTINCT client) AS clients,
       max(time) AS last
FROM requests
WHERE time >= $since AND time < $until AND remote_user IS NOT NULL
GROUP BY remote_user
ORDER BY requests DESC, remote_user
LIMIT $top
