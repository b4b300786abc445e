-- title: Uptime
-- question: Were we up, week by week, and did we meet the target?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: target float = report.target (share of uptime that a week is to reach, 0 to 1)
-- param: tz text = report.tz (where weeks begin)
-- chart: bar x=week y=uptime
-- alert: rows with verdict = 'FAIL' > 0
--
-- One row per ISO week of the window, oldest first: week, start and end (of the part in the window), verdict, uptime (good / judged
-- minutes; NULL when none is judged), lower and upper (unknown minutes taken as down, as up), coverage and judged_share (shares of all
-- minutes), minutes by state, unseen (minutes of the longest silence of an hour or more that earlier weeks do not explain: one outage may have
-- met nobody, so that lower takes them as down), request_ratio (good / (good + bad) requests without probes), the same of people alone, and budget_left (the
-- minutes that may still be bad if the target is to be met, unknown ones taken as up; negative: overspent).
--
-- Decided by judged_minutes(): the state of each minute, learned from four weeks before the window on. Unknown are UNCOVERED and SUSPECT
-- minutes; other IDLE and MAINT ones count for neither side. Simplified as said there.
WITH
minutes AS (
    SELECT iso_week(minute, $tz) AS week, *
    FROM judged_minutes($since - INTERVAL '28 days', $until)
    WHERE minute >= $since
),
-- What of a silence lies in a week.
silences AS (
    SELECT week, run, count(*) AS minutes
    FROM (
        SELECT week, extract(epoch FROM minute) / 60 - row_number() OVER (ORDER BY minute) AS run
        FROM minutes
        WHERE state = 'IDLE' AND evidence = 'unexplained_silence'
    )
    GROUP BY week, run
),
longest AS (
    SELECT week, max(minutes) AS minutes FROM silences GROUP BY week
),
weeks AS (
    SELECT week,
           min(minute) AS start,
           max(minute) + INTERVAL '1 minute' AS "end",
           count(*) AS minutes,
           -- As decimals, whose sum is the same in any order: a report is the same to the byte.
           CAST(sum(CAST(good_fraction AS DECIMAL(38, 18))) AS DOUBLE) AS good,
           count(*) FILTER (WHERE state = 'UP') AS up,
           count(*) FILTER (WHERE state = 'DEGRADED') AS degraded,
           count(*) FILTER (WHERE state = 'DOWN') AS down,
           count(*) FILTER (WHERE state = 'SUSPECT') AS suspect,
           count(*) FILTER (WHERE state = 'IDLE') AS idle,
           count(*) FILTER (WHERE state = 'MAINT') AS maint,
           count(*) FILTER (WHERE state = 'UNCOVERED') AS uncovered,
           sum(all_good) AS all_good, sum(all_bad) AS all_bad,
           sum(people_good) AS people_good, sum(people_bad) AS people_bad
    FROM minutes
    GROUP BY week
),
-- What is unknown could have been down, or up.
bounded AS (
    SELECT weeks.*,
           up + degraded + down AS judged,
           coalesce(longest.minutes, 0) AS unseen,
           CASE WHEN up + degraded + down + suspect + uncovered = 0 THEN 0.0
                ELSE good / (up + degraded + down + suspect + uncovered + coalesce(longest.minutes, 0)) END AS lower,
           CASE WHEN up + degraded + down + suspect + uncovered = 0 THEN 1.0
                ELSE (good + suspect + uncovered) / (up + degraded + down + suspect + uncovered) END AS upper
    FROM weeks LEFT JOIN longest ON longest.week = weeks.week
)
SELECT week, start, "end",
       uptime_verdict(lower, upper, CAST(judged AS DOUBLE) / minutes, $target) AS verdict,
       CASE WHEN judged > 0 THEN good / judged END AS uptime,
       lower, upper,
       CAST(minutes - uncovered AS DOUBLE) / minutes AS coverage,
       CAST(judged AS DOUBLE) / minutes AS judged_share,
       up, degraded, down, suspect, idle, maint, uncovered, unseen,
       CASE WHEN all_good + all_bad > 0 THEN CAST(all_good AS DOUBLE) / (all_good + all_bad) END AS request_ratio,
       CASE WHEN people_good + people_bad > 0
            THEN CAST(people_good AS DOUBLE) / (people_good + people_bad) END AS request_ratio_people,
       (1.0 - $target) * (judged + suspect + uncovered) - (judged - good) AS budget_left
FROM bounded
ORDER BY start
