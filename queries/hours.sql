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
minutes AS (
    SELECT unnest(visit_minutes(visit)) AS met
    FROM visitors($since, $until)
    WHERE class = 'human'
)
SELECT (date_part('dow', local_date(get_field(met, 'minute'), $tz)) + 6) % 7 + 1 AS weekday,
       local_hour(get_field(met, 'minute'), $tz) AS hour,
       sum(get_field(met, 'requests')) AS requests
FROM minutes
GROUP BY 1, 2
ORDER BY weekday, hour
