-- title: Browsers and programs
-- question: With which browsers and programs was asked?
-- report: Requests
-- needs: http_user_agent
-- none: There was no request.
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: top int = 20 (rows)
-- chart: bar x=program y=requests
--
-- One row per program: program (a bot by its name, else the browser that the agent claims; NULL: none was sent), people (distinct clients and agents
-- of people), requests, share (of all requests, 0 to 1), bytes (of bodies).
--
-- Decided by visitors(). Simplified as said there.
SELECT coalesce(name,
                browser_name(http_user_agent),
                CASE WHEN http_user_agent IS NOT NULL THEN 'other' END) AS program,
       count(*) FILTER (WHERE class = 'human') AS people,
       sum(requests) AS requests,
       CAST(sum(requests) AS DOUBLE) / sum(sum(requests)) OVER () AS share,
       sum(bytes) AS bytes
FROM visitors($since, $until)
GROUP BY 1
ORDER BY requests DESC, program
LIMIT $top
