"""Reads a table by its address with polars, pandas and DuckDB; prints rows and sums as JSON."""

import json
import sys
from pathlib import Path

import duckdb
import duckdb_extension_httpfs
import pandas
import polars

(address,) = sys.argv[1:]


def of_polars(frame):
    return [frame.height, int(frame["id"].sum())]


def of_pandas(frame):
    return [len(frame), int(frame["id"].sum())]


def of_duckdb(reader, suffix):
    connection = duckdb.connect()
    folder = Path(duckdb_extension_httpfs.__file__).parent
    extension = next(folder.rglob("httpfs.duckdb_extension"))
    connection.execute(f"LOAD '{extension}'")
    query = f"SELECT count(*), sum(id)::BIGINT FROM {reader}('{address}.{suffix}')"
    return list(connection.execute(query).fetchone())


print(
    json.dumps(
        {
            "polars parquet": of_polars(polars.read_parquet(f"{address}.parquet")),
            "polars scan": of_polars(
                polars.scan_parquet(f"{address}.parquet").select("id").collect()
            ),
            "polars csv": of_polars(polars.read_csv(f"{address}.csv")),
            "polars ndjson": of_polars(polars.read_ndjson(f"{address}.ndjson")),
            "pandas parquet": of_pandas(pandas.read_parquet(f"{address}.parquet")),
            "pandas csv": of_pandas(pandas.read_csv(f"{address}.csv")),
            "pandas ndjson": of_pandas(pandas.read_json(f"{address}.ndjson", lines=True)),
            "duckdb parquet": of_duckdb("read_parquet", "parquet"),
            "duckdb csv": of_duckdb("read_csv", "csv"),
            "duckdb ndjson": of_duckdb("read_json", "ndjson"),
        }
    )
)
