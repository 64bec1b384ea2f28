"""DuckDB signs in with a token of an identity provider, and as a client of it."""

import duckdb
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

from engine import attach


def by_token(client: str) -> str:
    return f"TYPE iceberg, TOKEN '{token_of(client)}'"


def by_client(client: str, secret: str = "") -> str:
    given = f"CLIENT_ID '{client}', CLIENT_SECRET '{secret or secret_of(client)}'"
    return f"TYPE iceberg, {given}, OAUTH2_SERVER_URI '{TOKENS}'"


@pytest.fixture
def namespace() -> str:
    return namespace_of_maker()


@pytest.mark.parametrize("secret_by", [by_token, by_client])
def test_makes_appends_and_reads(namespace: str, secret_by) -> None:
    engine = attach(URL, secret_by(MAKER))
    engine.sql(f"CREATE TABLE m.{namespace}.people (id BIGINT, name VARCHAR)")
    engine.sql(f"INSERT INTO m.{namespace}.people VALUES (1, 'Ada'), (2, NULL)")
    reader = attach(URL, secret_by(MAKER))
    rows = reader.sql(f"FROM m.{namespace}.people ORDER BY id").fetchall()
    assert rows == [(1, "Ada"), (2, None)]


@pytest.mark.parametrize("secret_by", [by_token, by_client])
def test_one_who_may_read_only(namespace: str, secret_by) -> None:
    engine = attach(URL, by_token(MAKER))
    engine.sql(f"CREATE TABLE m.{namespace}.people (id BIGINT)")
    engine.sql(f"INSERT INTO m.{namespace}.people VALUES (1)")
    grant(f"/namespaces/{namespace}", principal(READER), "select")
    reader = attach(URL, secret_by(READER))
    assert reader.sql(f"FROM m.{namespace}.people").fetchall() == [(1,)]
    with pytest.raises(duckdb.Error, match="403|Forbidden|modify"):
        reader.sql(f"INSERT INTO m.{namespace}.people VALUES (2)")
    again = attach(URL, by_token(MAKER))
    assert again.sql(f"FROM m.{namespace}.people").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "secret",
    [
        f"TYPE iceberg, TOKEN '{forged(token_of(MAKER))}'",
        by_client(MAKER, "wrong"),
    ],
    ids=["token", "client"],
)
def test_a_forged_one_is_refused(namespace: str, secret: str) -> None:
    # Version 1.4 tells of a refused client no more than that it has no token.
    with pytest.raises(duckdb.Error, match="401|invalid_client|Unauthorized|Could not get token"):
        attach(URL, secret).sql(f"FROM m.{namespace}.people")
