-- title: Visitors
-- question: Who is behind each client and agent?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
--
-- A table for other queries: visitors(since, until), a row per client and agent.
-- client, http_user_agent (NULL: none was sent), class (probe, package_client, declared, fake, scanner, flood, robotic, human),
-- rule (what decided), name (the program, where it says so), claim (what became of an agent that names an operator who publishes its
-- ranges: verified, fake, or unverified without a list of the last 30 days), list_age_days (of that list, at the last request), requests,
-- pages (requests that are no assets), bad, bytes (of bodies), sessions, first, last, hidden (a private address that at least 30 % of
-- all come from stands for others, as a balancer's does: then nothing is judged by who else is there), visit (what it asked for, for visit_minutes()).
--
-- Decided by visitor_class(), over sessions (a client and agent until it pauses for 30 minutes), each held against what others asked for
-- meanwhile: its /24 or /64, the other agents of its client, and all who asked for the same page and nothing else.
-- Lists of ranges, and clients that are vouched for, are files of the owner: `floodmark lists`. Without them nothing is fake.
-- Simplified: a probe without a known agent is learned only where it asks for one path; who else is in an address range is looked at by
-- the hour.
WITH
-- What each client and agent asked for, in the order of time.
visits AS (
    SELECT client, http_user_agent,
           min(time) AS first, max(time) AS last,
           visit(named_struct(
               'time', time, 'path', path, 'bytes', body_bytes_sent,
               'outcome', outcome(status, request_time, upstream_status),
               'asset', is_asset(path),
               'referred', http_referer IS NOT NULL,
               'refused', status BETWEEN 400 AND 499,
               'scans', bot = 'scanner',
               'robots_txt', path = '/robots.txt')) AS visit
    FROM requests
    WHERE time >= $since AND time < $until
    GROUP BY client, http_user_agent
),
-- Whose claim holds, and who is vouched for.
known AS (
    SELECT *, claim(client, http_user_agent, last) AS claim FROM visits
),
judged AS (
    SELECT *, visitor_class(named_struct(
               'client', client, 'http_user_agent', http_user_agent, 'visit', visit,
               'network', ip_neighbourhood(client),
               'private', is_private(client),
               'standing', get_field(claim, 'standing'),
               'exempt', is_exempt(client))) OVER () AS judgment
    FROM known
)
SELECT client, http_user_agent,
       get_field(judgment, 'class') AS class,
       get_field(judgment, 'rule') AS rule,
       bot_name(http_user_agent) AS name,
       get_field(claim, 'standing') AS claim,
       get_field(claim, 'list_age_days') AS list_age_days,
       get_field(judgment, 'requests') AS requests,
       get_field(judgment, 'pages') AS pages,
       get_field(judgment, 'bad') AS bad,
       get_field(judgment, 'bytes') AS bytes,
       get_field(judgment, 'sessions') AS sessions,
       first, last,
       get_field(judgment, 'hidden') AS hidden,
       visit
FROM judged
