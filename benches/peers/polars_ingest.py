"""A combined log to Parquet with Polars: nine columns, split at quotes, which is the fastest way that it has."""

import sys

import polars as pl

log, parquet = sys.argv[1:]
lines = pl.scan_csv(log, separator="\x01", quote_char=None, has_header=False, new_columns=["line"])
# remote_addr - user [time] " request " status bytes " referer " - " agent "
quoted = lines.select(pl.col("line").str.split_exact('"', 6)).unnest("line")
whole = quoted.filter(pl.col("field_6").is_not_null())
head, numbers = pl.col("field_0"), pl.col("field_2").str.splitn(" ", 4).struct
request = pl.col("field_1").str.splitn(" ", 3).struct
whole.select(
    remote_addr=head.str.splitn(" ", 2).struct[0],
    time=head.str.tail(28).str.head(26).str.to_datetime("%d/%b/%Y:%H:%M:%S %z", time_unit="us"),
    request_method=request[0],
    path=request[1],
    server_protocol=request[2],
    status=numbers[1].cast(pl.UInt16),
    body_bytes_sent=numbers[2].cast(pl.UInt64),
    http_referer=pl.col("field_3"),
    http_user_agent=pl.col("field_5"),
).sink_parquet(parquet, compression="zstd")
