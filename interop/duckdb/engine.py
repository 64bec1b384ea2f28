"""DuckDB with its extensions, which come from packages."""

import site
from pathlib import Path

import duckdb

PACKAGES = Path(site.getsitepackages()[0])
EXTENSIONS = ("httpfs", "avro", "iceberg")


def load_extensions() -> duckdb.DuckDBPyConnection:
    """From packages, of which each version of DuckDB has its own."""
    version = duckdb.__version__
    if version.startswith("1.4"):
        folder = str(PACKAGES / "duckdb_ext" / "extensions")
        connection = duckdb.connect(config={"extension_directory": folder})
        for name in EXTENSIONS:
            connection.sql(f"LOAD {name}")
        return connection
    connection = duckdb.connect()
    for name in EXTENSIONS:
        place = PACKAGES / f"duckdb_extension_{name}" / "extensions" / f"v{version}"
        connection.sql(f"LOAD '{place / name}.duckdb_extension'")
    return connection


def attach(url: str, secret: str) -> duckdb.DuckDBPyConnection:
    """As the catalog `m`, signed in by a secret with these parameters."""
    connection = load_extensions()
    connection.sql(f"CREATE SECRET moraine ({secret})")
    connection.sql(f"ATTACH '' AS m (TYPE iceberg, ENDPOINT '{url}/iceberg', SECRET moraine)")
    return connection
