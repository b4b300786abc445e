-- title: Share of errors
-- question: Which share of requests failed, and how sure is that?
-- report: Error spikes
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: tz text = report.tz (where days begin)
-- chart: line x=start y=share
--
-- One row per hour, per six hours if the window is longer than four days, or per day if it is longer than fifty: start, requests (good and bad ones, as
-- `minutes` counts them), bad, share (bad / requests, 0 to 1; NULL without any), lower_share and upper_share (the Wilson interval of 95 %: of three requests one
-- that failed may as well stand for 6 % as for 79 %).
--
-- Decided by judged_minutes(). Simplified: in a zone whose clocks change within the window days begin an hour off after the change.
WITH
counted AS (
    SELECT date_bin(CASE WHEN extract(epoch FROM $until) - extract(epoch FROM $since) > 50 * 86400 THEN INTERVAL '1 day'
                         WHEN extract(epoch FROM $until) - extract(epoch FROM $since) > 4 * 86400 THEN INTERVAL '6 hours'
                         ELSE INTERVAL '1 hour' END,
                    minute, week_start($since, $tz)) AS start,
           sum(good + bad) AS requests,
           sum(bad) AS bad
    FROM judged_minutes($since - INTERVAL '28 days', $until)
    WHERE minute >= $since
    GROUP BY 1
),
-- 1.96 standard deviations: z; z * z = 3.8416.
shares AS (
    SELECT *, CAST(bad AS DOUBLE) / requests AS share,
           1.9208 / requests AS shift,
           1 + 3.8416 / requests AS scale
    FROM counted
    WHERE requests > 0
),
bounds AS (
    SELECT start, share, (share + shift) / scale AS middle,
           1.96 * sqrt(share * (1 - share) / requests + shift * shift / 3.8416) / scale AS off
    FROM shares
)
SELECT c.start, c.requests, c.bad, b.share,
       abs(round(b.middle - b.off, 6)) AS lower_share,
       round(b.middle + b.off, 6) AS upper_share
FROM counted c
LEFT JOIN bounds b ON b.start = c.start
ORDER BY c.start
