"""Spark signs in with a key as a bearer token, and with its id and secret as a client's."""

import uuid

import pytest
from keyed import ADMIN_KEY, URL, WRONG_KEY, credential, grant, key_id, v1
from session import builder

WAYS = ["token", "credential"]


def settings(catalog: str, way: str, key: str) -> dict[str, str]:
    given = key if way == "token" else credential(key)
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
    configured = builder()
    for way in WAYS:
        for who, key in {"admin": ADMIN_KEY, "reader": reader_key, "wrong": WRONG_KEY}.items():
            for name, value in settings(f"{who}_{way}", way, key).items():
                configured = configured.config(name, value)
    session = configured.getOrCreate()
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
    grant(f"/tables/{table}", f"key:{key_id(reader_key)}", "select")
    assert spark.sql(f"SELECT * FROM reader_{way}.{table}").collect()[0][0] == 1
    with pytest.raises(Exception, match="Forbidden"):
        spark.sql(f"INSERT INTO reader_{way}.{table} VALUES (2)")
    assert spark.sql(f"SELECT * FROM admin_{way}.{table}").count() == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_key_is_told(spark, table: str, way: str) -> None:
    with pytest.raises(Exception, match="Not authorized|invalid_client|NotAuthorized|Unauthorized"):
        spark.sql(f"SELECT * FROM wrong_{way}.{table}").collect()
