-- title: Hours of the week
-- question: At which hours of which weekdays do people come?
-- report: Traffic
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: tz text = report.tz (where days begin)
-- chart: heat x=hour y=weekday z=requests
--
-- One row per weekday and hour at which people came: weekday (1: Monday), hour (0 to 23, local), requests (by people).
--
-- Decided by visitors(). Simplified as said there.
WITH
hours AS (
    SELECT (date_part('dow', local_date(time, $tz)) + 6) % 7 + 1 AS weekday,
           local_hour(time, $tz) AS hour,
           client, http_user_agent,
           count(*) AS requests
    FROM requests
    WHERE time >= $since AND time < $until
    GROUP BY 1, 2, 3, 4
)
SELECT h.weekday, h.hour, sum(h.requests) AS requests
FROM visitors($since, $until) v
JOIN hours h
  ON (v.client IS NOT DISTINCT FROM h.client) AND (v.http_user_agent IS NOT DISTINCT FROM h.http_user_agent)
WHERE v.class = 'human'
GROUP BY h.weekday, h.hour
ORDER BY h.weekday, h.hour
