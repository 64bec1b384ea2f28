"""DuckDB signs in with a key as a bearer token, and with its id and secret as a client's."""

import duckdb
import pytest
from keyed import ADMIN_KEY, URL, WRONG_KEY, grant, key_id, new_namespace, v1

from engine import attach


def by_token(key: str) -> str:
    return f"TYPE iceberg, TOKEN '{key}'"


def by_client(key: str) -> str:
    client = f"CLIENT_ID '{key_id(key)}', CLIENT_SECRET '{key}'"
    return f"TYPE iceberg, {client}, OAUTH2_SERVER_URI '{URL}/iceberg/v1/oauth/tokens'"


@pytest.fixture
def namespace() -> str:
    return new_namespace()


@pytest.mark.parametrize("secret_of", [by_token, by_client])
def test_makes_appends_and_reads(namespace: str, secret_of) -> None:
    engine = attach(URL, secret_of(ADMIN_KEY))
    engine.sql(f"CREATE TABLE m.{namespace}.people (id BIGINT, name VARCHAR)")
    engine.sql(f"INSERT INTO m.{namespace}.people VALUES (1, 'Ada'), (2, NULL)")
    reader = attach(URL, secret_of(ADMIN_KEY))
    rows = reader.sql(f"FROM m.{namespace}.people ORDER BY id").fetchall()
    assert rows == [(1, "Ada"), (2, None)]


@pytest.mark.parametrize("secret_of", [by_token, by_client])
def test_a_key_that_may_read_only(namespace: str, secret_of) -> None:
    engine = attach(URL, by_token(ADMIN_KEY))
    engine.sql(f"CREATE TABLE m.{namespace}.people (id BIGINT)")
    engine.sql(f"INSERT INTO m.{namespace}.people VALUES (1)")
    made = v1("POST", "/keys", {"description": "reader"})
    grant(f"/namespaces/{namespace}", f"key:{made['key_id']}", "select")
    reader = attach(URL, secret_of(made["key"]))
    assert reader.sql(f"FROM m.{namespace}.people").fetchall() == [(1,)]
    with pytest.raises(duckdb.Error, match="403|Forbidden|modify"):
        reader.sql(f"INSERT INTO m.{namespace}.people VALUES (2)")
    again = attach(URL, by_token(ADMIN_KEY))
    assert again.sql(f"FROM m.{namespace}.people").fetchall() == [(1,)]


@pytest.mark.parametrize("secret_of", [by_token, by_client])
def test_a_wrong_key_is_refused(namespace: str, secret_of) -> None:
    # Version 1.4 tells of a refused client no more than that it has no token.
    with pytest.raises(duckdb.Error, match="401|invalid_client|Unauthorized|Could not get token"):
        attach(URL, secret_of(WRONG_KEY)).sql(f"FROM m.{namespace}.people")
