-- title: Kinds of visitors
-- question: How much of the traffic is people, and how much is what kind of bot?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- chart: bar x=class y=requests
--
-- One row per class: class, clients (distinct addresses), requests, share (of all requests, 0 to 1), bytes (of bodies), bad.
--
-- Decided by visitors(). Simplified as said there.
SELECT class,
       count(DISTINCT client) AS clients,
       sum(requests) AS requests,
       CAST(sum(requests) AS DOUBLE) / sum(sum(requests)) OVER () AS share,
       sum(bytes) AS bytes,
       sum(bad) AS bad
FROM visitors($since, $until)
GROUP BY class
ORDER BY requests DESC, class
