-- title: Judged minutes
-- question: What state was the site in, minute by minute, and what was counted in each?
-- param: since timestamp = report.since (what is normal is learned from here on: begin four weeks before the window)
-- param: until timestamp = report.until (exclusive)
--
-- A table for other queries: judged_minutes(since, until), a row for every minute.
-- minute, state, evidence (the rule that decided), good_fraction (how much of the minute counts as good, 0 to 1), requests (all),
-- good and bad (those that decided, probes included), bad_clients, incident (a number; NULL outside of incidents), incident_kind (outage,
-- degraded, gap), incident_evidence (the rule that decided most of its minutes), all_good and all_bad (without probes), people_good and people_bad.
--
-- Simplified: a minute is covered from the first to the last request of all logs together, but for minutes in which a gap is
-- recorded; logs of several layers are counted together; there is no declared maintenance.
WITH
-- What each client and agent met in a minute.
met AS (
    SELECT date_trunc('minute', time) AS minute, client, http_user_agent,
           count(*) AS requests,
           count(*) FILTER (WHERE outcome(status, request_time, upstream_status) = 'good') AS good,
           count(*) FILTER (WHERE outcome(status, request_time, upstream_status) = 'bad') AS bad,
           count(*) FILTER (WHERE outcome(status, request_time, upstream_status) = 'shed') AS shed,
           min(time) AS first, max(time) AS last
    FROM requests
    WHERE time >= $since AND time < $until
    GROUP BY 1, 2, 3
),
-- Scanners and floods do not decide; probes do, as probes.
known AS (
    SELECT met.*, v.class, class_decides(v.class) AS decides
    FROM visitors($since, $until) v
    JOIN met
      ON (v.client IS NOT DISTINCT FROM met.client) AND (v.http_user_agent IS NOT DISTINCT FROM met.http_user_agent)
),
counted AS (
    SELECT minute,
           sum(requests) AS requests,
           sum(good) FILTER (WHERE decides) AS good,
           sum(bad) FILTER (WHERE decides) AS bad,
           sum(shed) FILTER (WHERE decides) AS shed,
           array_agg(client) FILTER (WHERE decides AND bad > 0) AS bad_clients,
           count(DISTINCT CASE WHEN decides AND shed > 0 THEN client END) AS shed_clients,
           sum(good) FILTER (WHERE class = 'probe') AS probe_good,
           sum(bad + shed) FILTER (WHERE class = 'probe') AS probe_bad,
           array_agg(named_struct('client', client, 'http_user_agent', http_user_agent, 'first', first, 'last', last))
               FILTER (WHERE class = 'probe') AS probes,
           sum(good) FILTER (WHERE class <> 'probe') AS all_good,
           sum(bad) FILTER (WHERE class <> 'probe') AS all_bad,
           sum(good) FILTER (WHERE class = 'human') AS people_good,
           sum(bad) FILTER (WHERE class = 'human') AS people_bad
    FROM known
    GROUP BY minute
),
-- The logs cover the time from their first to their last request, also beyond the window.
covered AS (
    SELECT date_trunc('minute', min(time)) AS first, max(time) AS last FROM requests WHERE time >= $since
),
gap_minutes AS (
    SELECT DISTINCT date_trunc('minute', time) AS minute FROM gaps WHERE time >= $since AND time < $until
),
-- Every minute of the range, asked or not.
every_minute AS (
    SELECT unnest(minute_range($since, $until)) AS minute
),
laid_out AS (
    SELECT m.minute,
           coalesce(m.minute >= covered.first AND m.minute <= covered.last AND g.minute IS NULL, false) AS covered,
           n.requests, n.good, n.bad, n.shed, n.bad_clients, n.shed_clients, n.probe_good, n.probe_bad, n.probes,
           n.all_good, n.all_bad, n.people_good, n.people_bad
    FROM every_minute m
    CROSS JOIN covered
    LEFT JOIN counted n ON n.minute = m.minute
    LEFT JOIN gap_minutes g ON g.minute = m.minute
),
judged AS (
    SELECT *, minute_state(named_struct(
               'minute', minute, 'covered', covered, 'good', good, 'bad', bad, 'shed', shed,
               'bad_clients', bad_clients, 'shed_clients', shed_clients,
               'probe_good', probe_good, 'probe_bad', probe_bad, 'probes', probes)) OVER (ORDER BY minute) AS judgment
    FROM laid_out
)
SELECT minute,
       get_field(judgment, 'state') AS state,
       get_field(judgment, 'evidence') AS evidence,
       get_field(judgment, 'good_fraction') AS good_fraction,
       coalesce(requests, 0) AS requests,
       get_field(judgment, 'good') AS good,
       get_field(judgment, 'bad') AS bad,
       get_field(judgment, 'bad_clients') AS bad_clients,
       get_field(judgment, 'incident') AS incident,
       get_field(judgment, 'incident_kind') AS incident_kind,
       get_field(judgment, 'incident_evidence') AS incident_evidence,
       coalesce(all_good, 0) AS all_good,
       coalesce(all_bad, 0) AS all_bad,
       coalesce(people_good, 0) AS people_good,
       coalesce(people_bad, 0) AS people_bad
FROM judged
