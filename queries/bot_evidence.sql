-- title: Evidence of bots
-- question: What speaks for each visitor being what it is called?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: who text = '' (a client, or a part of its agent; empty: all who are not people)
-- param: top int = 50 (rows)
--
-- One row per client and agent, most requests first: client, http_user_agent (NULL: none was sent), class, rule (what decided), claim, and the
-- counts behind the rules: requests, assets_share (0 to 1; browsers load styles and images), referer_share (0 to 1; people follow links),
-- refused_share (answered 4xx), paths (different ones), busiest_minute (requests in it), scans (requests that look for weak spots), scan_rule
-- (the first such rule by name), neighbours (clients of its /24 or /64), line and request (`source:offset` and the first line of the first
-- scan, or else of the first request).
--
-- Decided by visitors(); the counts are of the whole window, where the rules look at sessions of it. An app or script on the pages themselves
-- loads no assets either, which is why several counts stand beside the rule.
WITH
judged AS (
    SELECT client, http_user_agent, class, rule, claim
    FROM visitors($since, $until)
    WHERE CASE WHEN $who = '' THEN class <> 'human'
               ELSE client = $who OR strpos(http_user_agent, $who) > 0 END
    ORDER BY requests DESC, client, http_user_agent
    LIMIT $top
),
asked AS (
    SELECT j.client, j.http_user_agent, j.class, j.rule, j.claim,
           date_trunc('minute', r.time) AS minute, r.time, r.path, r.status, r.request_method, r.http_referer, r.source, r.line_offset,
           is_asset(r.path) AS asset,
           CASE WHEN r.bot = 'scanner' THEN r.bot_rule END AS scan_rule
    FROM judged j
    JOIN requests r
      ON (j.client IS NOT DISTINCT FROM r.client) AND (j.http_user_agent IS NOT DISTINCT FROM r.http_user_agent)
    WHERE r.time >= $since AND r.time < $until
),
by_minute AS (
    SELECT client, http_user_agent, max(requests) AS busiest_minute
    FROM (SELECT client, http_user_agent, minute, count(*) AS requests FROM asked GROUP BY 1, 2, 3)
    GROUP BY 1, 2
),
neighbours AS (
    SELECT ip_neighbourhood(client) AS prefix, count(DISTINCT client) AS clients
    FROM visitors($since, $until)
    GROUP BY 1
),
counted AS (
    SELECT client, http_user_agent, min(class) AS class, min(rule) AS rule, min(claim) AS claim,
           count(*) AS requests,
           count(*) FILTER (WHERE asset) AS assets,
           count(http_referer) AS referred,
           count(*) FILTER (WHERE status BETWEEN 400 AND 499) AS refused,
           count(DISTINCT path) AS paths,
           count(scan_rule) AS scans,
           min(scan_rule) AS scan_rule,
           first_value(source || ':' || CAST(line_offset AS VARCHAR) ORDER BY scan_rule IS NULL, time, source, line_offset) AS line,
           first_value(coalesce(request_method, '') || ' ' || coalesce(path, '') ORDER BY scan_rule IS NULL, time, source, line_offset) AS request
    FROM asked
    GROUP BY client, http_user_agent
)
SELECT c.client, c.http_user_agent, c.class, c.rule, c.claim, c.requests,
       CAST(c.assets AS DOUBLE) / c.requests AS assets_share,
       CAST(c.referred AS DOUBLE) / c.requests AS referer_share,
       CAST(c.refused AS DOUBLE) / c.requests AS refused_share,
       c.paths, m.busiest_minute, c.scans, c.scan_rule,
       coalesce(n.clients, 1) AS neighbours,
       c.line, c.request
FROM counted c
JOIN by_minute m
  ON (c.client IS NOT DISTINCT FROM m.client) AND (c.http_user_agent IS NOT DISTINCT FROM m.http_user_agent)
LEFT JOIN neighbours n ON n.prefix = ip_neighbourhood(c.client)
ORDER BY c.requests DESC, c.client, c.http_user_agent
