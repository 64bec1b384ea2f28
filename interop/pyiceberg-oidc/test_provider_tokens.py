"""PyIceberg signs in with a token of an identity provider, and as a client of it."""

import pyarrow as pa
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
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import ForbiddenError, OAuthError, UnauthorizedError

PEOPLE = pa.table({"id": pa.array([1, 2], pa.int64()), "name": pa.array(["Ada", None])})


def connect(**properties: str) -> RestCatalog:
    return RestCatalog("moraine", uri=f"{URL}/iceberg", **properties)


def by_token(client: str) -> RestCatalog:
    return connect(token=token_of(client))


def by_client(client: str, secret: str = "") -> RestCatalog:
    credential = f"{client}:{secret or secret_of(client)}"
    return connect(**{"credential": credential, "oauth2-server-uri": TOKENS})


@pytest.fixture
def namespace() -> str:
    return namespace_of_maker()


@pytest.mark.parametrize("sign_in", [by_token, by_client])
def test_makes_appends_and_reads(namespace: str, sign_in) -> None:
    sign_in(MAKER).create_table((namespace, "people"), PEOPLE.schema).append(PEOPLE)
    read = sign_in(MAKER).load_table((namespace, "people"))
    assert read.scan().to_arrow().num_rows == 2


@pytest.mark.parametrize("sign_in", [by_token, by_client])
def test_one_who_may_read_only(namespace: str, sign_in) -> None:
    by_token(MAKER).create_table((namespace, "people"), PEOPLE.schema).append(PEOPLE)
    grant(f"/namespaces/{namespace}", principal(READER), "select")
    table = sign_in(READER).load_table((namespace, "people"))
    assert table.scan().to_arrow().num_rows == 2
    with pytest.raises(ForbiddenError):
        table.append(PEOPLE)


def test_a_forged_one_is_told() -> None:
    with pytest.raises(OAuthError, match="invalid_client"):
        by_client(MAKER, "wrong")
    with pytest.raises(UnauthorizedError):
        connect(token=forged(token_of(MAKER))).list_namespaces()
