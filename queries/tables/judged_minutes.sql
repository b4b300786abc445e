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
-- A minute is covered from the first to the last request of all logs together; where they are followed, up to the last whole minute before they
-- were looked at, so that silence is known from nobody looking; and in no case where a gap reaches into it.
-- Maintenance is what the owner declares, by is_maintenance(); nothing in it is an incident.
-- Simplified: logs of several layers are counted together.
WITH
-- What each client and agent met, minute by minute.
met AS (
    SELECT client, http_user_agent, class, hidden, unnest(visit_minutes(visit)) AS met
    FROM visitors($since, $until)
),
-- Scanners and floods do not decide; probes do, as probes. Names are kept only where they tell witnesses and probes apart.
known AS (
    SELECT get_field(met, 'minute') AS minute, class, class = 'probe' AS is_probe,
           class_decides(class) AS decides,
           get_field(met, 'requests') AS requests,
           get_field(met, 'good') AS good, get_field(met, 'bad') AS bad, get_field(met, 'shed') AS shed,
           -- Where a balancer hides who asks, different agents bear witness.
           CASE WHEN class = 'probe' THEN client
                WHEN get_field(met, 'bad') + get_field(met, 'shed') = 0 THEN NULL
                WHEN hidden THEN http_user_agent
                ELSE client END AS client,
           CASE WHEN class = 'probe' THEN http_user_agent END AS http_user_agent,
           get_field(met, 'first') AS first, get_field(met, 'last') AS last
    FROM met
),
counted AS (
    SELECT minute, class, is_probe, decides, client, http_user_agent,
           sum(requests) AS requests, sum(good) AS good, sum(bad) AS bad, sum(shed) AS shed,
           count(*) FILTER (WHERE good + bad + shed > 0) AS visitors,
           min(first) AS first, max(last) AS last
    FROM known
    GROUP BY minute, class, is_probe, decides, client, http_user_agent
),
-- The logs cover the time from their first to their last request, also beyond the window; and after that until they were last looked at.
covered AS (
    SELECT min(first) AS first, max(last) AS last
    FROM (
        SELECT date_trunc('minute', min(time)) AS first, max(time) AS last FROM requests WHERE time >= $since
        UNION ALL
        SELECT NULL, date_trunc('minute', max(seen)) - INTERVAL '1 microsecond' FROM sources
    )
),
-- A gap without an end is one of its minute.
gap_minutes AS (
    SELECT DISTINCT unnest(minute_range(date_trunc('minute', time), coalesce(until, time) + INTERVAL '1 microsecond')) AS minute
    FROM gaps
    WHERE time < $until AND coalesce(until, time) >= $since
),
-- Every minute of the range, asked or not.
every_minute AS (
    SELECT unnest(minute_range($since, $until)) AS minute
),
laid_out AS (
    SELECT m.minute,
           coalesce(m.minute >= covered.first AND m.minute <= covered.last AND g.minute IS NULL, false) AS covered,
           k.client, k.http_user_agent, k.class, k.is_probe, k.decides, k.requests, k.good, k.bad, k.shed, k.visitors, k.first, k.last
    FROM every_minute m
    CROSS JOIN covered
    LEFT JOIN gap_minutes g ON g.minute = m.minute
    LEFT JOIN counted k ON k.minute = m.minute
),
judged AS (
    SELECT minute, class, requests, good, bad,
           minute_state(named_struct(
               'minute', minute, 'covered', covered, 'maintenance', is_maintenance(minute),
               'client', client, 'http_user_agent', http_user_agent, 'is_probe', is_probe, 'decides', decides,
               'good', good, 'bad', bad, 'shed', shed, 'visitors', visitors, 'first', first, 'last', last)) OVER (ORDER BY minute) AS judgment
    FROM laid_out
)
-- The judgment is the same in all rows of a minute.
SELECT minute,
       min(get_field(judgment, 'state')) AS state,
       min(get_field(judgment, 'evidence')) AS evidence,
       min(get_field(judgment, 'good_fraction')) AS good_fraction,
       coalesce(sum(requests), 0) AS requests,
       min(get_field(judgment, 'good')) AS good,
       min(get_field(judgment, 'bad')) AS bad,
       min(get_field(judgment, 'bad_clients')) AS bad_clients,
       min(get_field(judgment, 'incident')) AS incident,
       min(get_field(judgment, 'incident_kind')) AS incident_kind,
       min(get_field(judgment, 'incident_evidence')) AS incident_evidence,
       coalesce(sum(good) FILTER (WHERE class <> 'probe'), 0) AS all_good,
       coalesce(sum(bad) FILTER (WHERE class <> 'probe'), 0) AS all_bad,
       coalesce(sum(good) FILTER (WHERE class = 'human'), 0) AS people_good,
       coalesce(sum(bad) FILTER (WHERE class = 'human'), 0) AS people_bad
FROM judged
GROUP BY minute
