-- title: Incidents
-- question: When were we down or degraded, and how do we know?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- alert: rows > 0
--
-- One row per incident: start, end (exclusive), kind (outage, degraded, gap), minutes, requests (all within), bad (those that decided),
-- evidence (the rule that decided most of its minutes).
--
-- Decided by judged_minutes(): the state of each minute and which minutes belong together. An incident that began before the window is
-- cut there. Simplified as said in judged_minutes().
SELECT min(minute) AS start,
       max(minute) + INTERVAL '1 minute' AS "end",
       incident_kind AS kind,
       count(*) AS minutes,
       sum(requests) AS requests,
       sum(bad) AS bad,
       incident_evidence AS evidence
FROM judged_minutes($since - INTERVAL '28 days', $until)
WHERE minute >= $since AND incident IS NOT NULL
GROUP BY incident, incident_kind, incident_evidence
ORDER BY start, kind
