-- title: Bots by kind
-- question: Which kinds of bots came, and which programs?
-- report: Who came
-- none: Nobody but people and probes came.
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: top int = 20 (rows)
-- chart: bar x=program y=requests
--
-- One row per class, rule and program, most requests first: class, rule (what decided; of declared ones their kind), program (as it calls itself; NULL: it
-- looks like a browser, or says nothing), clients (distinct addresses), requests, share (of all requests of bots, 0 to 1), bad, bytes (of bodies).
--
-- Decided by visitors(). Simplified as said there. Probes are evidence, and no bots.
SELECT class, rule, name AS program,
       count(DISTINCT client) AS clients,
       sum(requests) AS requests,
       CAST(sum(requests) AS DOUBLE) / sum(sum(requests)) OVER () AS share,
       sum(bad) AS bad,
       sum(bytes) AS bytes
FROM visitors($since, $until)
WHERE class NOT IN ('human', 'probe')
GROUP BY class, rule, name
ORDER BY requests DESC, class, rule, program
LIMIT $top
