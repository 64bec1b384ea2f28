"""Spark signs in with a key as a bearer token, and with its id and secret as a client's."""

import pytest
from keyed import ADMIN_KEY, URL, WRONG_KEY, credential, grant, key_id, new_namespace, v1
from session import rest_catalog, start

WAYS = ["token", "credential"]


def settings(catalog: str, way: str, key: str) -> dict[str, str]:
    given = {way: key if way == "token" else credential(key)}
    tokens = f"{URL}/iceberg/v1/oauth/tokens"
    return rest_catalog(catalog, f"{URL}/iceberg", **{"oauth2-server-uri": tokens}, **given)


@pytest.fixture(scope="session")
def reader_key() -> str:
    return v1("POST", "/keys", {"description": "reader"})["key"]


@pytest.fixture(scope="session")
def spark(reader_key: str):
    made = {}
    for way in WAYS:
        for who, key in {"admin": ADMIN_KEY, "reader": reader_key, "wrong": WRONG_KEY}.items():
            made |= settings(f"{who}_{way}", way, key)
    session = start(made)
    yield session
    session.stop()


@pytest.fixture
def table() -> str:
    return f"{new_namespace()}.people"


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
