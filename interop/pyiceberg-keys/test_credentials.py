"""PyIceberg signs in with the id and secret of a key, as it does elsewhere with a client's."""

import pyarrow as pa
import pytest
from keyed import ADMIN_KEY, URL, WRONG_KEY, credential, grant, new_namespace, v1
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import ForbiddenError, OAuthError, UnauthorizedError

PEOPLE = pa.table({"id": pa.array([1, 2], pa.int64()), "name": pa.array(["Ada", None])})


def connect(**properties: str) -> RestCatalog:
    return RestCatalog("moraine", uri=f"{URL}/iceberg", **properties)


@pytest.fixture
def namespace() -> str:
    return new_namespace()


def test_makes_appends_and_reads(namespace: str) -> None:
    catalog = connect(credential=credential(ADMIN_KEY))
    table = catalog.create_table((namespace, "people"), schema=PEOPLE.schema)
    table.append(PEOPLE)
    table.append(PEOPLE)
    read = connect(credential=credential(ADMIN_KEY)).load_table((namespace, "people"))
    assert read.scan().to_arrow().num_rows == 4
    assert read.scan(row_filter="id == 1").to_arrow()["name"].to_pylist() == ["Ada", "Ada"]
    assert catalog.list_tables(namespace) == [(namespace, "people")]


def test_a_key_as_token(namespace: str) -> None:
    catalog = connect(token=ADMIN_KEY)
    catalog.create_table((namespace, "people"), schema=PEOPLE.schema).append(PEOPLE)
    assert catalog.load_table((namespace, "people")).scan().to_arrow().num_rows == 2


def test_a_key_that_may_read_only(namespace: str) -> None:
    connect(token=ADMIN_KEY).create_table((namespace, "people"), PEOPLE.schema).append(PEOPLE)
    made = v1("POST", "/keys", {"description": "reader"})
    grant(f"/namespaces/{namespace}", f"key:{made['key_id']}", "select")
    reader = connect(credential=credential(made["key"]))
    table = reader.load_table((namespace, "people"))
    assert table.scan().to_arrow().num_rows == 2
    with pytest.raises(ForbiddenError):
        table.append(PEOPLE)


def test_a_wrong_key_is_told() -> None:
    with pytest.raises(OAuthError, match="invalid_client"):
        connect(credential=credential(WRONG_KEY))
    with pytest.raises(UnauthorizedError):
        connect(token=WRONG_KEY).list_namespaces()


def test_nobody_is_let_in_without_one() -> None:
    with pytest.raises(UnauthorizedError):
        connect().list_namespaces()
