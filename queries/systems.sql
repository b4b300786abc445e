-- title: Operating systems
-- question: On which systems do people read us?
-- report: Requests
-- needs: http_user_agent
-- none: Nobody who was taken for a person sent an agent.
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- chart: bar x=system y=requests
--
-- One row per operating system: system (as the agent claims), people (distinct clients and agents of people), requests (theirs), share (of their
-- requests, 0 to 1).
--
-- Decided by visitors(). Simplified as said there; a system is told by the words that its browsers send.
SELECT CASE WHEN http_user_agent LIKE '%Android%' THEN 'Android'
            WHEN http_user_agent LIKE '%iPhone%' OR http_user_agent LIKE '%iPad%' THEN 'iOS'
            WHEN http_user_agent LIKE '%Windows%' THEN 'Windows'
            WHEN http_user_agent LIKE '%Mac OS X%' THEN 'macOS'
            WHEN http_user_agent LIKE '%CrOS%' THEN 'ChromeOS'
            WHEN http_user_agent LIKE '%Linux%' THEN 'Linux'
            ELSE 'other' END AS system,
       count(*) AS people,
       sum(requests) AS requests,
       CAST(sum(requests) AS DOUBLE) / sum(sum(requests)) OVER () AS share
FROM visitors($since, $until)
WHERE class = 'human' AND http_user_agent IS NOT NULL
GROUP BY 1
ORDER BY requests DESC, system
