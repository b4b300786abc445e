-- title: TLS versions
-- question: Who would be lost without an old version of TLS?
-- report: Requests
-- needs: ssl_protocol
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- chart: bar x=ssl_protocol y=requests
--
-- One row per version: ssl_protocol (NULL: not logged, or no TLS), requests, share (of all requests, 0 to 1), clients (distinct addresses), people
-- (requests that do not show by themselves that no person sent them).
SELECT ssl_protocol,
       count(*) AS requests,
       CAST(count(*) AS DOUBLE) / sum(count(*)) OVER () AS share,
       count(DISTINCT client) AS clients,
       count(*) FILTER (WHERE bot = 'none') AS people
FROM requests
WHERE time >= $since AND time < $until
GROUP BY ssl_protocol
ORDER BY requests DESC, ssl_protocol
