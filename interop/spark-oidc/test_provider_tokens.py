"""Spark signs in with a token of an identity provider, and as a client of it."""

import pytest
from keyed import URL, grant
from provided import (
    MAKER,
    READER,
    TOKENS,
    forged,
    namespace_of_maker,
    principal,
    secret_of,
    token_of,
)
from session import rest_catalog, start

WAYS = ["token", "credential"]


def settings(catalog: str, **given: str) -> dict[str, str]:
    return rest_catalog(catalog, f"{URL}/iceberg", **{"oauth2-server-uri": TOKENS}, **given)


@pytest.fixture(scope="session")
def spark():
    made = settings("forged_token", token=forged(token_of(MAKER)))
    made |= settings("forged_credential", credential=f"{MAKER}:wrong")
    for client in [MAKER, READER]:
        made |= settings(f"{client}_token", token=token_of(client))
        made |= settings(f"{client}_credential", credential=f"{client}:{secret_of(client)}")
    session = start(made)
    yield session
    session.stop()


@pytest.fixture
def table() -> str:
    return f"{namespace_of_maker()}.people"


@pytest.mark.parametrize("way", WAYS)
def test_makes_appends_and_reads(spark, table: str, way: str) -> None:
    spark.sql(f"CREATE TABLE {MAKER}_{way}.{table} (id BIGINT, name STRING)")
    spark.sql(f"INSERT INTO {MAKER}_{way}.{table} VALUES (1, 'Ada'), (2, NULL)")
    rows = spark.sql(f"SELECT * FROM {MAKER}_{way}.{table} ORDER BY id").collect()
    assert [tuple(row) for row in rows] == [(1, "Ada"), (2, None)]


@pytest.mark.parametrize("way", WAYS)
def test_one_who_may_read_only(spark, table: str, way: str) -> None:
    spark.sql(f"CREATE TABLE {MAKER}_{way}.{table} (id BIGINT)")
    spark.sql(f"INSERT INTO {MAKER}_{way}.{table} VALUES (1)")
    with pytest.raises(Exception, match="TABLE_OR_VIEW_NOT_FOUND|cannot be found"):
        spark.sql(f"SELECT * FROM {READER}_{way}.{table}").collect()
    grant(f"/tables/{table}", principal(READER), "select")
    assert spark.sql(f"SELECT * FROM {READER}_{way}.{table}").collect()[0][0] == 1
    with pytest.raises(Exception, match="Forbidden"):
        spark.sql(f"INSERT INTO {READER}_{way}.{table} VALUES (2)")
    assert spark.sql(f"SELECT * FROM {MAKER}_{way}.{table}").count() == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_forged_one_is_told(spark, table: str, way: str) -> None:
    with pytest.raises(Exception, match="Not authorized|invalid_client|NotAuthorized|Unauthorized"):
        spark.sql(f"SELECT * FROM forged_{way}.{table}").collect()
