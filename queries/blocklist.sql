-- title: Block list
-- question: Which addresses could be kept out without keeping out people?
-- report: Who came
-- none: No address asks enough for a rule to pay.
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: classes text = 'scanner,flood,fake' (classes of bots to keep out)
-- param: requests int = 10 (requests of these classes by an address; below it a rule costs more than it saves)
-- param: prefix_clients int = 5 (such addresses of a /24 or /64 from which on it is listed as a whole, if nobody else came from it)
--
-- One row per address or range, most requests first: cidr, requests (of these classes), clients, class and rule (of most of them), last
-- (request), deny (a line for Nginx's `deny`) and geo (a line for its `geo` block). Nothing is applied: look at it, then
--     floodmark query blocklist -o tsv | tail -n +2 | cut -f 7 > /etc/nginx/deny.conf
--
-- Decided by visitors(). An address from which a person, a program that says so, a probe or a package client came as well is never listed:
-- many share one. An address of IPv6 is listed by its /64, as its owner has all of that. Simplified: an address that was
-- given to somebody else since is not known to be.
WITH
known AS (
    SELECT client, ip_neighbourhood(client) AS prefix, class, rule, requests, last,
           strpos(',' || $classes || ',', ',' || class || ',') > 0 AS unwanted
    FROM visitors($since, $until)
    WHERE ip_neighbourhood(client) IS NOT NULL
),
clients AS (
    SELECT client, prefix,
           sum(requests) AS requests,
           bool_and(unwanted) AS is_unwanted,
           first_value(class ORDER BY requests DESC, class) AS class,
           first_value(rule ORDER BY requests DESC, rule) AS rule,
           max(last) AS last
    FROM known
    GROUP BY client, prefix
),
prefixes AS (
    SELECT prefix, bool_and(is_unwanted) AS is_unwanted, count(*) AS clients FROM clients GROUP BY prefix
),
-- The whole range, if it holds many and nobody else; else the address.
listed AS (
    SELECT CASE WHEN p.is_unwanted AND (p.clients >= $prefix_clients OR strpos(c.client, ':') > 0) THEN c.prefix
                ELSE ip_prefix(c.client, 128) END AS cidr,
           c.client, c.requests, c.class, c.rule, c.last
    FROM clients c
    JOIN prefixes p ON p.prefix = c.prefix
    WHERE c.is_unwanted
),
ranges AS (
    SELECT cidr,
           sum(requests) AS requests,
           count(*) AS clients,
           first_value(class ORDER BY requests DESC, class) AS class,
           first_value(rule ORDER BY requests DESC, rule) AS rule,
           max(last) AS last
    FROM listed
    GROUP BY cidr
)
SELECT cidr, requests, clients, class, rule, last,
       'deny ' || cidr || '; # ' || class || ' (' || rule || '), ' || CAST(requests AS VARCHAR) || ' requests' AS deny,
       cidr || ' 1;' AS geo
FROM ranges
WHERE requests >= $requests
ORDER BY requests DESC, cidr
