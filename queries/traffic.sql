-- title: Traffic
-- question: How many people came each day, and how many bots?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: tz text = report.tz (where days begin)
-- chart: line x=day y=requests
--
-- One row per day: day, requests (all), people (requests by people), bots (by all others but probes), of these declared, fake, scanner, flood,
-- robotic and package_client, visitors (distinct clients and agents of people), bytes (of bodies), errors (bad answers).
--
-- Decided by visitors(). Simplified as said there.
WITH
days AS (
    SELECT class, unnest(visit_days(visit, $tz)) AS met FROM visitors($since, $until)
),
counted AS (
    SELECT class, get_field(met, 'day') AS day, get_field(met, 'requests') AS requests, get_field(met, 'bytes') AS bytes, get_field(met, 'bad') AS bad
    FROM days
)
SELECT day,
       sum(requests) AS requests,
       coalesce(sum(requests) FILTER (WHERE class = 'human'), 0) AS people,
       coalesce(sum(requests) FILTER (WHERE class NOT IN ('human', 'probe')), 0) AS bots,
       coalesce(sum(requests) FILTER (WHERE class = 'declared'), 0) AS declared,
       coalesce(sum(requests) FILTER (WHERE class = 'fake'), 0) AS fake,
       coalesce(sum(requests) FILTER (WHERE class = 'scanner'), 0) AS scanner,
       coalesce(sum(requests) FILTER (WHERE class = 'flood'), 0) AS flood,
       coalesce(sum(requests) FILTER (WHERE class = 'robotic'), 0) AS robotic,
       coalesce(sum(requests) FILTER (WHERE class = 'package_client'), 0) AS package_client,
       count(*) FILTER (WHERE class = 'human') AS visitors,
       sum(bytes) AS bytes,
       sum(bad) AS errors
FROM counted
GROUP BY day
ORDER BY day
