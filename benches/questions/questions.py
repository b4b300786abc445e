"""The six questions, as each engine is asked them. Answers are printed as CSV rows, to be compared."""

NAMES = [
    "requests by status",
    "20 busiest addresses",
    "5xx by minute",
    "different addresses by hour",
    "20 busiest targets, bytes and their 95 %",
    "20 agents with `bot` in them",
]

# `{minute}`, `{hour}` and `{p95}` are what each engine calls them. Ties are broken, so that there is one answer.
SQL = [
    "SELECT status, count(*) AS n FROM requests GROUP BY 1 ORDER BY 1",
    "SELECT remote_addr, count(*) AS n FROM requests GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20",
    "SELECT {minute} AS minute, count(*) AS n FROM requests WHERE status >= 500 GROUP BY 1 ORDER BY 1",
    "SELECT {hour} AS hour, count(DISTINCT remote_addr) AS n FROM requests GROUP BY 1 ORDER BY 1",
    "SELECT path, args, count(*) AS n, sum(body_bytes_sent) AS bytes, {p95} AS p95 FROM requests "
    "GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 20",
    "SELECT http_user_agent, count(*) AS n FROM requests WHERE http_user_agent ILIKE '%bot%' "
    "GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20",
]
NOTHING = "SELECT 1"

FLOODMARK = {
    "minute": "date_trunc('minute', time)",
    "hour": "date_trunc('hour', time)",
    "p95": "approx_quantile(body_bytes_sent, 0.95)",
}
DUCKDB = {
    "minute": "epoch(date_trunc('minute', time))",
    "hour": "epoch(date_trunc('hour', time))",
    "p95": "approx_quantile(body_bytes_sent, 0.95)",
}
CLICKHOUSE = {
    "minute": "toUnixTimestamp(toStartOfMinute(time))",
    "hour": "toUnixTimestamp(toStartOfHour(time))",
    "p95": "quantile(0.95)(body_bytes_sent)",
}


def clickhouse(files, index):
    import chdb

    # A list in braces may name folders or files, and no path of both.
    lake, days, names = (sorted(set(parts)) for parts in zip(*(path.rsplit("/", 2) for path in files)))
    place = f"{lake[0]}/{{{','.join(days)}}}/{{{','.join(names)}}}"
    requests = f"WITH requests AS (SELECT * FROM file('{place}', Parquet) WHERE kind = 'request') "
    statement = NOTHING if index is None else requests + SQL[index].format(**CLICKHOUSE)
    answer = chdb.query(statement + " SETTINGS max_threads = 2, session_timezone = 'UTC'", "CSV")
    return [[line] for line in str(answer).splitlines()]


def duckdb(files, index):
    import duckdb

    base = duckdb.connect(config={"threads": 2})
    base.execute("SET TimeZone = 'UTC'")
    view = "CREATE VIEW requests AS SELECT * FROM read_parquet($files) WHERE kind = 'request'"
    base.execute(view.replace("$files", repr(files)))
    statement = NOTHING if index is None else SQL[index].format(**DUCKDB)
    return base.execute(statement).fetchall()


def polars(files, index):
    import polars

    rows = polars.scan_parquet(files).filter(polars.col("kind") == "request")
    column, count = polars.col, polars.len().alias("n")
    if index is None:
        return polars.select(1).rows()
    asked = [
        lambda: rows.group_by("status").agg(count).sort("status"),
        lambda: rows.group_by("remote_addr").agg(count).sort(["n", "remote_addr"], descending=[True, False]).head(20),
        lambda: rows.filter(column("status") >= 500)
        .group_by(column("time").dt.truncate("1m")).agg(count).sort("time"),
        lambda: rows.group_by(column("time").dt.truncate("1h"))
        .agg(column("remote_addr").drop_nulls().n_unique()).sort("time"),
        lambda: rows.group_by("path", "args")
        .agg(count, column("body_bytes_sent").sum().alias("bytes"), column("body_bytes_sent").quantile(0.95).alias("p95"))
        .sort(["n", "path", "args"], descending=[True, False, False]).head(20),
        lambda: rows.filter(column("http_user_agent").str.contains("(?i)bot"))
        .group_by("http_user_agent").agg(count).sort(["n", "http_user_agent"], descending=[True, False]).head(20),
    ]
    return asked[index]().collect(engine="streaming").rows()


if __name__ == "__main__":
    import sys

    engine, index, *files = sys.argv[1:]
    index = None if index == "-" else int(index)
    for row in {"clickhouse": clickhouse, "duckdb": duckdb, "polars": polars}[engine](files, index):
        print(*(value.isoformat() if hasattr(value, "isoformat") else value for value in row), sep=",")
