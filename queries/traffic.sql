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
-- Decided by visitors() and outcome(). Simplified as said there.
WITH
days AS (
    SELECT local_date(time, $tz) AS day, client, http_user_agent,
           count(*) AS requests,
           sum(body_bytes_sent) AS bytes,
           count(*) FILTER (WHERE outcome(status, request_time, upstream_status) = 'bad') AS errors
    FROM requests
    WHERE time >= $since AND time < $until
    GROUP BY 1, 2, 3
)
SELECT d.day,
       sum(d.requests) AS requests,
       coalesce(sum(d.requests) FILTER (WHERE v.class = 'human'), 0) AS people,
       coalesce(sum(d.requests) FILTER (WHERE v.class NOT IN ('human', 'probe')), 0) AS bots,
       coalesce(sum(d.requests) FILTER (WHERE v.class = 'declared'), 0) AS declared,
       coalesce(sum(d.requests) FILTER (WHERE v.class = 'fake'), 0) AS fake,
       coalesce(sum(d.requests) FILTER (WHERE v.class = 'scanner'), 0) AS scanner,
       coalesce(sum(d.requests) FILTER (WHERE v.class = 'flood'), 0) AS flood,
       coalesce(sum(d.requests) FILTER (WHERE v.class = 'robotic'), 0) AS robotic,
       coalesce(sum(d.requests) FILTER (WHERE v.class = 'package_client'), 0) AS package_client,
       count(*) FILTER (WHERE v.class = 'human') AS visitors,
       coalesce(sum(d.bytes), 0) AS bytes,
       sum(d.errors) AS errors
FROM visitors($since, $until) v
JOIN days d
  ON (v.client IS NOT DISTINCT FROM d.client) AND (v.http_user_agent IS NOT DISTINCT FROM d.http_user_agent)
GROUP BY d.day
ORDER BY d.day
