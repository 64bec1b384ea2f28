"""Spark signs in with a key as a bearer token, and with its id and secret as a client's."""

import json
import os
import urllib.request
import uuid
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

URL = os.environ["MORAINE_URL"]
ADMIN_KEY = os.environ["MORAINE_KEY"]
WRONG_KEY = ADMIN_KEY[:-1] + ("A" if ADMIN_KEY[-1] != "A" else "B")
WAYS = ["token", "credential"]


def v1(method: str, path: str, body: object = None) -> dict:
    request = urllib.request.Request(f"{URL}/v1{path}", method=method)
    request.add_header("Authorization", f"Bearer {ADMIN_KEY}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def key_id(key: str) -> str:
    return key.split("_", 2)[1]


def settings(catalog: str, way: str, key: str) -> dict[str, str]:
    given = key if way == "token" else f"{key_id(key)}:{key}"
    prefix = f"spark.sql.catalog.{catalog}"
    return {
        prefix: "org.apache.iceberg.spark.SparkCatalog",
        f"{prefix}.type": "rest",
        f"{prefix}.uri": f"{URL}/iceberg",
        f"{prefix}.cache-enabled": "false",
        f"{prefix}.oauth2-server-uri": f"{URL}/iceberg/v1/oauth/tokens",
        f"{prefix}.{way}": given,
    }


@pytest.fixture(scope="session")
def reader_key() -> str:
    return v1("POST", "/keys", {"description": "reader"})["key"]


@pytest.fixture(scope="session")
def spark(reader_key: str):
    jars = ",".join(str(jar) for jar in Path(os.environ["SPARK_JARS_FOLDER"]).glob("*.jar"))
    builder = (
        SparkSession.builder.master("local[2]")
        .config("spark.jars", jars)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
    )
    for way in WAYS:
        for who, key in {"admin": ADMIN_KEY, "reader": reader_key, "wrong": WRONG_KEY}.items():
            for name, value in settings(f"{who}_{way}", way, key).items():
                builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture
def table() -> str:
    namespace = f"ns_{uuid.uuid4().hex[:12]}"
    v1("POST", "/namespaces", {"name": namespace})
    return f"{namespace}.people"


@pytest.mark.parametrize("way", WAYS)
def test_makes_appends_and_reads(spark, table: str, way: str) -> None:
    spark.sql(f"CREATE TABLE admin_{way}.{table} (id BIGINT, name STRING)")
    spark.sql(f"INSERT INTO admin_{way}.{table} VALUES (1, 'Ada'), (2, NULL)")
    rows = spark.sql(f"SELECT * FROM admin_{way}.{table} ORDER BY id").collect()
    assert [tuple(row) for row in rows] == [(1, "Ada"), (2, None)]


@pytest.mark.parametrize("way", WAYS)
def test_a_key_that_may_read_only(spark, table: str, way: str, reader_key: str) -> None:
    spark.sql(f"CREATE TABLE admin_{way}.{table} (id BIGINT)")
    spark.sql(f"INSERT INTO admin_{way}.{table} VALUES (1)")
    grant = {"principal": f"key:{key_id(reader_key)}", "privilege": "select"}
    v1("POST", f"/tables/{table}/permissions", {"grant": [grant]})
    assert spark.sql(f"SELECT * FROM reader_{way}.{table}").collect()[0][0] == 1
    with pytest.raises(Exception, match="Forbidden"):
        spark.sql(f"INSERT INTO reader_{way}.{table} VALUES (2)")
    assert spark.sql(f"SELECT * FROM admin_{way}.{table}").count() == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_key_is_told(spark, table: str, way: str) -> None:
    with pytest.raises(Exception, match="Not authorized|invalid_client|NotAuthorized|Unauthorized"):
        spark.sql(f"SELECT * FROM wrong_{way}.{table}").collect()
