-- title: Uptime by minutes
-- question: Were we up, week by week, as far as minutes alone can tell?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: target float = report.target (share of uptime that a week is to reach, 0 to 1)
-- param: tz text = report.tz (where weeks begin)
-- chart: bar x=week y=uptime
--
-- One row per ISO week with requests, oldest first: week, start (of the part in the window), verdict, uptime (good / judged minutes; NULL when none
-- is judged), lower and upper (silent minutes taken as down, as up), judged_share (of all minutes), minutes by state (silent: without a request
-- that decides), requests, request_ratio (good / (good + bad) requests without probes and scanners).
--
-- For years of which the lines are long gone. Simplified against `uptime`: floods decide as well, since only lines show them; a probe that
-- stays away is not missed and silence is never down, but unknown, and so are minutes that no log covers: a quiet site gets wide bounds.
WITH
-- Scanners are left out of each sum and not of the rows: a row group from which a row in ten is picked is slower to read than all of it.
weeks AS (
    SELECT week_start(minute, $tz) AS monday,
           minute_tally(minute, bot = 'probe', good, bad, shed, bad_clients) FILTER (WHERE bot <> 'scanner') AS tally,
           sum(total) FILTER (WHERE bot <> 'scanner') AS requests
    FROM minutes
    WHERE minute >= $since AND minute < $until
    GROUP BY 1
),
-- The minutes of each week that lie in the window; the next Monday is within 8 days, also where clocks change.
counted AS (
    SELECT greatest(monday, $since) AS start,
           iso_week(monday, $tz) AS week,
           (extract(epoch FROM least(week_start(monday + INTERVAL '8 days', $tz), $until))
             - extract(epoch FROM greatest(monday, $since))) / 60 AS minutes,
           get_field(tally, 'up') AS up,
           get_field(tally, 'degraded') AS degraded,
           get_field(tally, 'down') AS down,
           get_field(tally, 'good') AS good_minutes,
           get_field(tally, 'good_requests') AS good,
           get_field(tally, 'bad_requests') AS bad,
           requests
    FROM weeks
    WHERE requests IS NOT NULL
),
bounded AS (
    SELECT *,
           up + degraded + down AS judged,
           good_minutes / minutes AS lower,
           (good_minutes + minutes - up - degraded - down) / minutes AS upper
    FROM counted
)
SELECT week, start,
       uptime_verdict(lower, upper, judged / minutes, $target) AS verdict,
       CASE WHEN judged > 0 THEN good_minutes / judged END AS uptime,
       lower, upper,
       judged / minutes AS judged_share,
       up, degraded, down,
       CAST(minutes AS BIGINT) - judged AS silent,
       requests,
       CASE WHEN good + bad > 0 THEN CAST(good AS DOUBLE) / (good + bad) END AS request_ratio
FROM bounded
ORDER BY start
