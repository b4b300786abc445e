-- title: Versions of browsers
-- question: Which versions of which browsers do people use?
-- report: Requests
-- needs: http_user_agent
-- none: Nobody who was taken for a person sent an agent.
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: top int = 20 (rows)
--
-- One row per version: browser (as the agent claims; other: none that is known), version (its first number; NULL: it says none), people (distinct
-- clients and agents of people), requests (theirs), share (of their requests, 0 to 1).
--
-- Decided by visitors(). Simplified as said there; of versions browsers say no more than the first number any more.
SELECT coalesce(browser_name(http_user_agent), 'other') AS browser,
       browser_version(http_user_agent) AS version,
       count(*) AS people,
       sum(requests) AS requests,
       CAST(sum(requests) AS DOUBLE) / sum(sum(requests)) OVER () AS share
FROM visitors($since, $until)
WHERE class = 'human' AND http_user_agent IS NOT NULL
GROUP BY 1, 2
ORDER BY requests DESC, browser, version
LIMIT $top
