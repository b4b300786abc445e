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
-- all come from stands for others, as a balancer's does: then nothing is judged by who else is there).
--
-- Lists of ranges, and clients that are vouched for, are files of the owner: `floodmark lists`. Without them nothing is fake.
-- Simplified: a probe without a known agent is learned only where it asks for one path; who else is in an address range is looked at by
-- the hour.
WITH
-- One row per request, with what of it says who asked.
asked AS (
    SELECT compact(client) AS client, compact(http_user_agent) AS http_user_agent, compact(path) AS path,
           time, date_trunc('minute', time) AS minute, body_bytes_sent,
           ip_neighbourhood(client) AS prefix,
           is_asset(path) AS asset,
           bot = 'scanner' AS scans,
           status BETWEEN 400 AND 499 AS refused,
           path = '/robots.txt' AS robots_txt,
           http_referer IS NOT NULL AS referred,
           outcome(status, request_time, upstream_status) = 'bad' AS is_bad
    FROM requests
    WHERE time >= $since AND time < $until
),
-- Cuts the requests of a client and agent into sessions where it pauses for 30 minutes, and tells who asks like a clock.
steps AS (
    SELECT *, session_step(time, asset, path) OVER (PARTITION BY client, http_user_agent ORDER BY time) AS step
    FROM asked
),
session_minutes AS (
    SELECT client, http_user_agent, prefix, get_field(step, 'session') AS session, minute,
           bool_or(get_field(step, 'like_a_clock')) AS like_a_clock,
           min(time) AS first, max(time) AS last,
           count(*) AS requests,
           count(*) FILTER (WHERE NOT asset) AS pages,
           -- What it asked for, if that was nothing but a page: people fetch more, and follow links. In an outage they get no further, either.
           CASE WHEN count(*) FILTER (WHERE asset OR referred) = 0 AND 2 * count(*) FILTER (WHERE is_bad) < count(*)
                THEN compact(min(path)) END AS shape,
           count(*) FILTER (WHERE get_field(step, 'new_path')) AS new_paths,
           count(*) FILTER (WHERE refused) AS refused,
           count(*) FILTER (WHERE scans) AS scans,
           count(*) FILTER (WHERE robots_txt) AS robots_txt,
           count(*) FILTER (WHERE referred) AS referred,
           count(*) FILTER (WHERE is_bad) AS bad,
           coalesce(sum(body_bytes_sent), 0) AS bytes,
           count(get_field(step, 'page_gap_us')) AS gaps,
           -- As whole numbers, whose sums are the same in any order.
           coalesce(sum(get_field(step, 'page_gap_us')), 0) AS gap_sum_us,
           coalesce(sum(CAST(get_field(step, 'page_gap_us') AS DECIMAL(18, 0))
                        * CAST(get_field(step, 'page_gap_us') AS DECIMAL(18, 0))), 0) AS gap_squares_us
    FROM steps
    GROUP BY client, http_user_agent, prefix, get_field(step, 'session'), minute
),
-- Who else is there: the neighbourhood's requests, its clients, the other agents of the client. A flood comes from many addresses of
-- few networks, or for one page from everywhere.
crowded AS (
    SELECT *, crowd(client, http_user_agent, prefix, minute, requests, pages, shape) OVER () AS crowd FROM session_minutes
),
sessions AS (
    SELECT client, http_user_agent, prefix, session,
           min(first) AS first, max(last) AS last,
           bool_or(like_a_clock) AS like_a_clock,
           sum(requests) AS requests, sum(pages) AS pages,
           sum(new_paths) AS distinct_paths,
           sum(refused) AS errors_4xx,
           sum(scans) AS scanner_rows,
           sum(robots_txt) > 0 AS robots_txt,
           sum(referred) AS referred,
           sum(bad) AS bad, sum(bytes) AS bytes,
           max(pages) AS pages_per_minute_max,
           max(get_field(crowd, 'prefix_pages')) AS prefix_pages_per_minute_max,
           max(get_field(crowd, 'clients_in_prefix')) AS clients_in_prefix,
           max(get_field(crowd, 'agents_of_client')) AS agents_of_client,
           -- A private address from which a large part of all comes stands for others: that of a balancer.
           is_private(client) AND max(get_field(crowd, 'client_share')) >= 0.3 AS hidden,
           first_value(get_field(crowd, 'prefix_asset_share')
                       ORDER BY get_field(crowd, 'prefix_pages') DESC, minute) AS prefix_asset_share,
           max(get_field(crowd, 'shape_pages')) AS shape_pages_per_minute_max,
           max(get_field(crowd, 'shape_clients')) AS shape_clients,
           max(get_field(crowd, 'shape_usual')) AS shape_usual,
           sum(gaps) AS gaps,
           CAST(sum(gap_sum_us) AS DOUBLE) / 1e6 AS gap_sum,
           CAST(sum(gap_squares_us) AS DOUBLE) / 1e12 AS gap_squares
    FROM crowded
    GROUP BY client, http_user_agent, prefix, session
),
-- Judges each session.
judged AS (
    SELECT client, http_user_agent, requests, pages, bad, bytes, first, last, hidden,
           session_class(named_struct(
               'http_user_agent', http_user_agent,
               -- A log without agents says nothing about who sends none.
               'agent_missing', coalesce(http_user_agent, '') = '' AND count(http_user_agent) OVER () > 0,
               -- Who says what it is, is that.
               'probe', like_a_clock AND bot(http_user_agent) IS NULL,
               'standing', get_field(claim(client, http_user_agent, last), 'standing'),
               'exempt', is_exempt(client),
               'requests', requests,
               'pages', pages,
               'distinct_paths', distinct_paths,
               'errors_4xx', errors_4xx,
               'scanner_rows', scanner_rows,
               'robots_txt', robots_txt,
               'span_s', extract(epoch FROM last) - extract(epoch FROM first),
               'gap_mean_s', CASE WHEN gaps > 0 THEN gap_sum / gaps END,
               'gap_cv', CASE WHEN gaps > 1 AND gap_sum > 0
                              THEN sqrt(greatest(gap_squares - gap_sum * gap_sum / gaps, 0.0) / (gaps - 1)) / (gap_sum / gaps) END,
               'pages_per_minute_max', pages_per_minute_max,
               -- A log without referers says nothing about who follows links.
               'referer_share', CASE WHEN max(referred) OVER () > 0 THEN CAST(referred AS DOUBLE) / requests END,
               'agents_of_client', agents_of_client,
               'clients_in_prefix', clients_in_prefix,
               'prefix_pages_per_minute_max', prefix_pages_per_minute_max,
               'prefix_asset_share', prefix_asset_share,
               'shape_pages_per_minute_max', shape_pages_per_minute_max,
               'shape_clients', shape_clients,
               'shape_usual', shape_usual,
               'hidden', hidden)) AS judgment
    FROM sessions
),
-- One session as a scanner or in a flood marks the client and agent; robotic is who is so most of the time.
weighed AS (
    SELECT client, http_user_agent,
           count(*) AS sessions,
           sum(requests) AS requests, sum(pages) AS pages, sum(bad) AS bad, sum(bytes) AS bytes,
           min(first) AS first, max(last) AS last, bool_or(hidden) AS hidden,
           sum(requests) FILTER (WHERE get_field(judgment, 'class') = 'scanner') AS scanner,
           sum(requests) FILTER (WHERE get_field(judgment, 'class') = 'flood') AS flood,
           sum(requests) FILTER (WHERE get_field(judgment, 'class') = 'robotic') AS robotic,
           max(get_field(judgment, 'rule')) FILTER (WHERE get_field(judgment, 'class') = 'scanner') AS scanner_rule,
           max(get_field(judgment, 'rule')) FILTER (WHERE get_field(judgment, 'class') = 'flood') AS flood_rule,
           max(get_field(judgment, 'rule')) FILTER (WHERE get_field(judgment, 'class') = 'robotic') AS robotic_rule,
           max(get_field(judgment, 'class')) FILTER (WHERE get_field(judgment, 'class') NOT IN ('scanner', 'flood', 'robotic', 'human')) AS own,
           max(get_field(judgment, 'rule')) FILTER (WHERE get_field(judgment, 'class') NOT IN ('scanner', 'flood', 'robotic', 'human')) AS own_rule
    FROM judged
    GROUP BY client, http_user_agent
)
SELECT client, http_user_agent,
       CASE WHEN scanner > 0 AND (NOT hidden OR scanner * 2 > requests) THEN 'scanner'
            WHEN flood > 0 THEN 'flood'
            WHEN own IS NOT NULL THEN own
            WHEN robotic * 2 > requests THEN 'robotic'
            ELSE 'human' END AS class,
       CASE WHEN scanner > 0 AND (NOT hidden OR scanner * 2 > requests) THEN scanner_rule
            WHEN flood > 0 THEN flood_rule
            WHEN own IS NOT NULL THEN own_rule
            WHEN robotic * 2 > requests THEN robotic_rule
            ELSE 'human' END AS rule,
       bot_name(http_user_agent) AS name,
       get_field(claim(client, http_user_agent, last), 'standing') AS claim,
       get_field(claim(client, http_user_agent, last), 'list_age_days') AS list_age_days,
       requests, pages, bad, bytes, sessions, first, last, hidden
FROM weighed
