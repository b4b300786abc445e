-- title: Top clients
-- question: Which addresses asked most, and who are they?
-- report: Requests
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: top int = 20 (rows)
-- chart: bar x=client y=requests
--
-- One row per client: client, class (of most of its requests), requests, errors (bad answers), bytes (of bodies), http_user_agent (of
-- most of its requests; NULL: none was sent).
--
-- Decided by visitors() and outcome(). Simplified as said there.
SELECT client,
       first_value(class ORDER BY requests DESC, http_user_agent) AS class,
       sum(requests) AS requests,
       sum(bad) AS errors,
       sum(bytes) AS bytes,
       first_value(http_user_agent ORDER BY requests DESC, http_user_agent) AS http_user_agent
FROM visitors($since, $until)
GROUP BY client
ORDER BY requests DESC, client
LIMIT $top
