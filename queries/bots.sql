-- title: Bots
-- question: Who was not a person, and how do we know?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: people int = 0 (1: people too)
-- chart: bar x=http_user_agent y=requests
--
-- One row per client and agent: client, http_user_agent (NULL: none was sent), class (probe, package_client, declared, fake, scanner,
-- flood, robotic, and human if asked), rule (what decided), requests, bad, first and last (request in the window), claim (verified, fake or
-- unverified, where the agent names an operator who publishes its ranges) and list_age_days (of the list that the claim was held against).
--
-- Decided by visitors(), by session (a client and agent until it pauses for 30 minutes). Simplified as said there.
SELECT client, http_user_agent, class, rule, requests, bad, first, last, claim, list_age_days
FROM visitors($since, $until)
WHERE class <> 'human' OR $people = 1
ORDER BY requests DESC, client, http_user_agent
