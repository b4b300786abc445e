-- title: Burn rate
-- question: Do we spend the week's error budget too fast, and whom should that wake?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: target float = report.target (share of uptime that a week is to reach, 0 to 1)
-- alert: rows with severity = 'page' and state = 'firing' > 0
--
-- One row per rule: rule, severity (page, ticket), factor (times the pace that spends a budget of 7 days in 7 days), long_minutes and
-- short_minutes (both windows must burn that fast: the long one says that it matters, the short one that it goes on), state at the end of the
-- window (firing, quiet, unknown, impossible), burn_long and burn_short (NULL: nothing judged), uncovered_long (minutes of the long window
-- that no log covers), fired (stretches in the window in which it fired), fired_minutes, last_fired (the end of the last of them).
--
-- Decided by judged_minutes(): bad minutes (DOWN, and the bad part of DEGRADED) by judged ones (UP, DEGRADED, DOWN), over 1 - target. Minutes
-- that no log covers are left out and shown. No data never resolves: without a judged minute in its short window a rule goes by the long one. A rule
-- whose factor the target makes impossible, as all bad is 1 / (1 - target), is not asked: impossible. Beside them DOWN for 3 minutes in a
-- row, which needs no budget. Windows and factors: those of the SRE Workbook (chapter 5), made for 7 days in place of 30.
WITH
rules AS (
    SELECT * FROM (VALUES
        ('down for 3 minutes', 'page', NULL, 3, 3),
        ('burn 10x', 'page', 10.0, 30, 5),
        ('burn 5x', 'page', 5.0, 120, 15),
        ('burn 3.5x', 'page', 3.5, 360, 30),
        ('burn 1.4x', 'ticket', 1.4, 1440, 120),
        ('burn 0.98x', 'ticket', 0.98, 4320, 360)) AS r (rule, severity, factor, long_minutes, short_minutes)
),
-- In thousandths of minutes, which add up the same in any order.
minutes AS (
    SELECT minute, state,
           CASE WHEN state IN ('UP', 'DEGRADED', 'DOWN') THEN 1000 - CAST(round(good_fraction * 1000) AS BIGINT) ELSE 0 END AS bad,
           CASE WHEN state IN ('UP', 'DEGRADED', 'DOWN') THEN 1000 ELSE 0 END AS judged,
           CASE WHEN state = 'UNCOVERED' THEN 1 ELSE 0 END AS uncovered
    FROM judged_minutes($since - INTERVAL '28 days', $until)
),
-- What each window that ends with a minute has burnt.
summed AS (
    SELECT minute, state,
           sum(CASE WHEN state = 'DOWN' THEN 1 ELSE 0 END) OVER (ORDER BY minute ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS down_of_3,
           sum(bad) OVER m5 AS bad_5, sum(judged) OVER m5 AS judged_5,
           sum(bad) OVER m15 AS bad_15, sum(judged) OVER m15 AS judged_15,
           sum(bad) OVER m30 AS bad_30, sum(judged) OVER m30 AS judged_30, sum(uncovered) OVER m30 AS uncovered_30,
           sum(bad) OVER h2 AS bad_120, sum(judged) OVER h2 AS judged_120, sum(uncovered) OVER h2 AS uncovered_120,
           sum(bad) OVER h6 AS bad_360, sum(judged) OVER h6 AS judged_360, sum(uncovered) OVER h6 AS uncovered_360,
           sum(bad) OVER d1 AS bad_1440, sum(judged) OVER d1 AS judged_1440, sum(uncovered) OVER d1 AS uncovered_1440,
           sum(bad) OVER d3 AS bad_4320, sum(judged) OVER d3 AS judged_4320, sum(uncovered) OVER d3 AS uncovered_4320
    FROM minutes
    WINDOW m5 AS (ORDER BY minute ROWS BETWEEN 4 PRECEDING AND CURRENT ROW),
           m15 AS (ORDER BY minute ROWS BETWEEN 14 PRECEDING AND CURRENT ROW),
           m30 AS (ORDER BY minute ROWS BETWEEN 29 PRECEDING AND CURRENT ROW),
           h2 AS (ORDER BY minute ROWS BETWEEN 119 PRECEDING AND CURRENT ROW),
           h6 AS (ORDER BY minute ROWS BETWEEN 359 PRECEDING AND CURRENT ROW),
           d1 AS (ORDER BY minute ROWS BETWEEN 1439 PRECEDING AND CURRENT ROW),
           d3 AS (ORDER BY minute ROWS BETWEEN 4319 PRECEDING AND CURRENT ROW)
),
asked AS (
    SELECT rule, severity, factor, long_minutes, short_minutes, minute, state AS minute_state, down_of_3,
           CASE long_minutes WHEN 30 THEN bad_30 WHEN 120 THEN bad_120 WHEN 360 THEN bad_360 WHEN 1440 THEN bad_1440
                             WHEN 4320 THEN bad_4320 END AS bad_long,
           CASE long_minutes WHEN 30 THEN judged_30 WHEN 120 THEN judged_120 WHEN 360 THEN judged_360 WHEN 1440 THEN judged_1440
                             WHEN 4320 THEN judged_4320 END AS judged_long,
           CASE short_minutes WHEN 5 THEN bad_5 WHEN 15 THEN bad_15 WHEN 30 THEN bad_30 WHEN 120 THEN bad_120
                              WHEN 360 THEN bad_360 END AS bad_short,
           CASE short_minutes WHEN 5 THEN judged_5 WHEN 15 THEN judged_15 WHEN 30 THEN judged_30 WHEN 120 THEN judged_120
                              WHEN 360 THEN judged_360 END AS judged_short,
           CASE long_minutes WHEN 30 THEN uncovered_30 WHEN 120 THEN uncovered_120 WHEN 360 THEN uncovered_360
                             WHEN 1440 THEN uncovered_1440 WHEN 4320 THEN uncovered_4320 END AS uncovered_long
    FROM summed
    CROSS JOIN rules
    WHERE minute >= $since
),
burnt AS (
    SELECT *,
           CASE WHEN judged_long > 0 THEN CAST(bad_long AS DOUBLE) / judged_long / (1.0 - $target) END AS burn_long,
           CASE WHEN judged_short > 0 THEN CAST(bad_short AS DOUBLE) / judged_short / (1.0 - $target) END AS burn_short
    FROM asked
),
judged AS (
    SELECT rule, severity, factor, long_minutes, short_minutes, minute, burn_long, burn_short, uncovered_long,
           CASE WHEN factor IS NULL AND down_of_3 = 3 THEN 'firing'
                WHEN factor IS NULL AND minute_state IN ('UNCOVERED', 'SUSPECT') THEN 'unknown'
                WHEN factor IS NULL THEN 'quiet'
                WHEN factor * (1.0 - $target) > 1.0 THEN 'impossible'
                WHEN burn_long IS NULL THEN 'unknown'
                WHEN burn_long >= factor AND coalesce(burn_short, burn_long) >= factor THEN 'firing'
                ELSE 'quiet' END AS state
    FROM burnt
),
begun AS (
    SELECT *, CASE WHEN state = 'firing' AND lag(state, 1, 'quiet') OVER (PARTITION BY rule ORDER BY minute) <> 'firing' THEN 1 ELSE 0 END AS begins
    FROM judged
)
SELECT rule, severity, factor, long_minutes, short_minutes,
       last_value(state ORDER BY minute) AS state,
       last_value(burn_long ORDER BY minute) AS burn_long,
       last_value(burn_short ORDER BY minute) AS burn_short,
       last_value(uncovered_long ORDER BY minute) AS uncovered_long,
       sum(begins) AS fired,
       count(*) FILTER (WHERE state = 'firing') AS fired_minutes,
       max(minute) FILTER (WHERE state = 'firing') + INTERVAL '1 minute' AS last_fired
FROM begun
GROUP BY rule, severity, factor, long_minutes, short_minutes
ORDER BY severity, factor DESC NULLS FIRST, rule
