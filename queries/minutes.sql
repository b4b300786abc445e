-- title: Minutes
-- question: What state was the site in, minute by minute?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- chart: strip x=minute y=state
-- alert: state = 'DOWN' for 3m
--
-- One row per minute: minute, state (UP, DEGRADED, DOWN, SUSPECT, IDLE, UNCOVERED, MAINT), requests (all), good and bad (those that
-- decided, probes included), neutral (the rest: scanners, floods, answers that say nothing of the site), evidence (what decided).
--
-- Decided by judged_minutes(), learned from four weeks before the window on. Simplified as said there.
SELECT minute, state, requests, good, bad, requests - good - bad AS neutral, evidence
FROM judged_minutes($since - INTERVAL '28 days', $until)
WHERE minute >= $since
ORDER BY minute
