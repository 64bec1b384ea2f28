import pyarrow as pa
import pytest
from moraine import connect, view_metadata_location
from pyiceberg.exceptions import NoSuchViewError, ViewAlreadyExistsError
from pyiceberg.view.metadata import SQLViewRepresentation, ViewVersion

SCHEMA = pa.schema([("id", pa.int64())])


def version(namespace: str, sql: str) -> ViewVersion:
    return ViewVersion(
        version_id=1,
        schema_id=0,
        timestamp_ms=1_700_000_000_000,
        summary={"engine-name": "test"},
        representations=[SQLViewRepresentation(type="sql", sql=sql, dialect="spark")],
        default_namespace=[namespace],
    )


def test_a_view_is_created_loaded_listed_and_dropped(catalog, namespace):
    view = (namespace, "seen")
    catalog.create_view(view, SCHEMA, version(namespace, "SELECT 1 AS id"), properties={"a": "b"})
    loaded = catalog.load_view(view)
    assert loaded.metadata.properties["a"] == "b"
    assert loaded.current_version().representations[0].root.sql == "SELECT 1 AS id"
    assert catalog.list_views(namespace) == [view]
    assert catalog.view_exists(view)
    assert catalog.list_tables(namespace) == []
    catalog.drop_view(view)
    assert not catalog.view_exists(view)
    with pytest.raises(NoSuchViewError):
        catalog.drop_view(view)


def test_a_view_and_a_table_do_not_share_a_name(catalog, namespace):
    catalog.create_table((namespace, "t"), SCHEMA)
    with pytest.raises(Exception, match="already exists"):
        catalog.create_view((namespace, "t"), SCHEMA, version(namespace, "SELECT 1 AS id"))
    catalog.create_view((namespace, "v"), SCHEMA, version(namespace, "SELECT 1 AS id"))
    with pytest.raises(Exception, match="already exists"):
        catalog.create_table((namespace, "v"), SCHEMA)
    with pytest.raises(ViewAlreadyExistsError):
        catalog.create_view((namespace, "v"), SCHEMA, version(namespace, "SELECT 2 AS id"))


def test_pages_of_views_hold_everything_once(catalog, namespace):
    names = [f"v{number}" for number in range(9)]
    for name in names:
        catalog.create_view((namespace, name), SCHEMA, version(namespace, "SELECT 1 AS id"))
    found = connect(rest_page_size="4").list_views(namespace)
    assert sorted(found) == [(namespace, name) for name in names]


def test_a_dropped_view_is_registered_again(catalog, namespace):
    catalog.create_view((namespace, "v"), SCHEMA, version(namespace, "SELECT 7 AS id"))
    location = view_metadata_location(catalog, namespace, "v")
    catalog.drop_view((namespace, "v"))
    back = catalog.register_view((namespace, "w"), location)
    assert back.current_version().representations[0].root.sql == "SELECT 7 AS id"


def test_a_view_of_the_rest_catalog_is_in_v1_too(catalog, namespace, v1):
    catalog.create_view((namespace, "seen"), SCHEMA, version(namespace, "SELECT 1 AS id"))
    assert v1.get(f"/v1/views/{namespace}.seen")["name"] == "seen"
