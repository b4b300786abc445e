-- title: Deciding requests
-- question: Which answers say how the site is?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
--
-- A table for other queries: deciding_requests(since, until), a row per request with a good or bad answer, without those of scanners, floods and probes.
-- server_name (NULL: not logged), path (a template such as /item/{id}), minute, is_bad, status, client (NULL where a balancer hides who asks, so
-- that nobody is known to be the only one).
--
-- Decided by visitors() and outcome(); declared maintenance is left out. Simplified as said there.
WITH
-- Those whose requests are not simply a client's. They are few, so that each request is soon known to be of none of them.
notable AS (
    SELECT client, http_user_agent, class_decides(class) AS decides, hidden
    FROM visitors($since, $until)
    WHERE hidden OR NOT class_decides(class)
),
asked AS (
    SELECT r.server_name, r.path, r.time, r.status,
           CASE WHEN v.hidden IS NOT TRUE THEN r.client END AS client,
           outcome(r.status, r.request_time, r.upstream_status) AS outcome
    FROM notable v
    RIGHT JOIN requests r
      ON (v.client IS NOT DISTINCT FROM r.client) AND (v.http_user_agent IS NOT DISTINCT FROM r.http_user_agent)
    WHERE r.time >= $since AND r.time < $until
      AND v.decides IS NOT FALSE AND NOT is_maintenance(r.time)
)
SELECT server_name, path_template(path) AS path, date_trunc('minute', time) AS minute, outcome = 'bad' AS is_bad, status, client
FROM asked
WHERE outcome IN ('good', 'bad')
