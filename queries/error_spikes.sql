-- title: Error spikes
-- question: When did the share of errors leave its normal band, and where?
-- param: since timestamp = report.since
-- param: until timestamp = report.until (exclusive)
-- param: min_requests int = 5 (requests in a window; how likely so many errors are by chance is asked anyway)
-- param: min_errors int = 5 (errors in a window; fewer can be one person pressing reload)
-- chart: bar x=start y=rate
-- alert: rows with single_client = false > 0
--
-- One row per spike: start, end (exclusive), server_name (NULL: not logged), path (a template such as /item/{id}; NULL: the whole
-- server), requests and bad (good and bad ones of visitors, without scanners, floods and probes), rate (bad / requests), baseline (the
-- share that still counted as normal), single_client (one client made more than 80 % of the errors), top_client and top_status (of
-- the minute and sender with the most errors), shape (client: one client's; deploy: one path, as after a change; outage: all paths), opened (when
-- it was clear that this is one; a spike of few requests begins long before).
--
-- Decided by judged_spikes(). What is behind one: `spike_causes`, or `floodmark query error_spikes --explain 1` for the first.
-- Simplified: layers are judged together, and a spike of fewer errors than min_errors is none.
SELECT start, "end", server_name, path, requests, bad,
       CAST(bad AS DOUBLE) / requests AS rate,
       baseline, single_client, top_client, top_status,
       CASE WHEN single_client THEN 'client' WHEN path IS NOT NULL THEN 'deploy' ELSE 'outage' END AS shape,
       opened
FROM judged_spikes($since - INTERVAL '28 days', $since, $until, $min_requests, $min_errors)
ORDER BY start, server_name, path
