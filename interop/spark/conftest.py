import json
import os
import time
import urllib.request
import uuid
from pathlib import Path

import pytest
from session import builder
from written_table import WrittenTable

# Spark hands out moments in the time zone of Python's process.
os.environ["TZ"] = "UTC"
time.tzset()

URL = os.environ["MORAINE_URL"]
ICEBERG_URI = os.environ.get("INTEROP_CATALOG_URI", f"{URL}/iceberg")


@pytest.fixture(scope="session")
def spark():
    session = (
        builder()
        .config("spark.sql.session.timeZone", "UTC")
        .config(
            "spark.sql.extensions",
            "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        )
        .config("spark.sql.catalog.moraine", "org.apache.iceberg.spark.SparkCatalog")
        .config("spark.sql.catalog.moraine.type", "rest")
        .config("spark.sql.catalog.moraine.uri", ICEBERG_URI)
        .config("spark.sql.catalog.moraine.cache-enabled", "false")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture
def namespace(spark) -> str:
    name = f"ns_{uuid.uuid4().hex[:12]}"
    spark.sql(f"CREATE NAMESPACE moraine.{name}")
    return name


@pytest.fixture
def make(spark, namespace):
    """Creates the table `t`, whose deletes are files of their own."""

    def made(columns: str, clauses: str = "", version: int = 2) -> WrittenTable:
        table = WrittenTable(spark, namespace, "t")
        modes = ", ".join(
            f"'write.{kind}.mode' = 'merge-on-read'" for kind in ("delete", "update", "merge")
        )
        table.do(
            f"CREATE TABLE $t ({columns}) USING iceberg {clauses}"
            f" TBLPROPERTIES ('format-version' = '{version}', {modes})"
        )
        return table

    return made


@pytest.fixture
def folder() -> Path:
    made = Path(os.environ["MORAINE_DATA"]) / uuid.uuid4().hex
    made.mkdir()
    return made


@pytest.fixture(scope="session")
def dump():
    """The lines of a table's CSV below its header."""

    def lines(table: str, query: str = "") -> list[str]:
        address = f"{URL}/v1/tables/{table}/dump?format=csv{query}"
        with urllib.request.urlopen(address, timeout=120) as answer:
            return sorted(answer.read().decode().splitlines()[1:])

    return lines


@pytest.fixture(scope="session")
def v1():
    def call(path: str, body: dict | None = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"content-type": "application/json"}
        request = urllib.request.Request(URL + path, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    return call
