"""A combined log to Parquet with DuckDB: nine columns, split at quotes, which is the fastest way that it has."""

import sys

import duckdb

log, parquet = sys.argv[1:]
duckdb.execute(
    r"""
    COPY (
        WITH quoted AS (
            SELECT string_split(line, '"') AS part
            FROM read_csv($log, columns = {'line': 'VARCHAR'}, delim = E'\x01', quote = '', escape = '',
                          header = false, auto_detect = false)
        ),
        fields AS (
            SELECT part[1] AS head, string_split(part[2], ' ') AS request, string_split(part[3], ' ') AS numbers,
                   part[4] AS http_referer, part[6] AS http_user_agent
            FROM quoted
            WHERE len(part) >= 7
        )
        SELECT split_part(head, ' ', 1) AS remote_addr,
               strptime(left(right(head, 28), 26), '%d/%b/%Y:%H:%M:%S %z') AS time,
               request[1] AS request_method, request[2] AS path, request[3] AS server_protocol,
               numbers[2]::USMALLINT AS status, numbers[3]::UBIGINT AS body_bytes_sent,
               http_referer, http_user_agent
        FROM fields
    ) TO $parquet (FORMAT parquet, COMPRESSION zstd)
    """,
    {"log": log, "parquet": parquet},
)
