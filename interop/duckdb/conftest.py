import json
import os
import urllib.request
import uuid
from pathlib import Path

import duckdb
import pytest

from engine import load_extensions

URL = os.environ["MORAINE_URL"]
ICEBERG_URI = os.environ.get("INTEROP_CATALOG_URI", f"{URL}/iceberg")


@pytest.fixture
def connect():
    """A new engine, which remembers nothing of the catalog."""

    def attached() -> duckdb.DuckDBPyConnection:
        connection = load_extensions()
        connection.sql("SET TimeZone = 'UTC'")
        connection.sql(
            f"ATTACH '' AS m (TYPE iceberg, ENDPOINT '{ICEBERG_URI}', AUTHORIZATION_TYPE 'none')"
        )
        return connection

    return attached


@pytest.fixture
def engine(connect) -> duckdb.DuckDBPyConnection:
    return connect()


@pytest.fixture
def namespace(engine) -> str:
    name = f"ns_{uuid.uuid4().hex[:12]}"
    engine.sql(f"CREATE SCHEMA m.{name}")
    return name


@pytest.fixture
def folder() -> Path:
    made = Path(os.environ["MORAINE_DATA"]) / uuid.uuid4().hex
    made.mkdir()
    return made


def send(path: str, body: dict | None = None) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    headers = {} if body is None else {"content-type": "application/json"}
    request = urllib.request.Request(URL + path, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read()


@pytest.fixture(scope="session")
def v1():
    return lambda path, body=None: json.loads(send(path, body))


@pytest.fixture
def dump(folder):
    """The rows of a table's Parquet dump, read by another engine, in the order of the first."""

    def rows(table: str, query: str = "FROM dumped ORDER BY 1") -> list[tuple]:
        path = folder / f"{uuid.uuid4().hex}.parquet"
        path.write_bytes(send(f"/v1/tables/{table}/dump?format=parquet"))
        reader = duckdb.connect()
        reader.sql(f"CREATE VIEW dumped AS FROM '{path}'")
        return reader.sql(query).fetchall()

    return rows
