import pyarrow as pa
import pytest
from moraine import connect
from pyiceberg.exceptions import (
    NamespaceAlreadyExistsError,
    NamespaceNotEmptyError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)

SCHEMA = pa.schema([("id", pa.int64())])
ROWS = pa.table({"id": pa.array([1], pa.int64())})
ODD_NAMES = [
    "with space",
    "with.dot",
    "with/slash",
    "with%percent",
    "with%2Fescape",
    "żółć",
    "名前",
    "🧊",
    "with'quote\"s",
    "with+plus&and=is",
    "question?mark#hash",
    "UPPER-and-lower",
]


def test_namespaces_nest_and_keep_their_properties(catalog, namespace):
    inner, innermost = (namespace, "inner"), (namespace, "inner", "most")
    catalog.create_namespace(inner, {"owner": "me", "ü": "ž"})
    catalog.create_namespace(innermost)
    assert catalog.list_namespaces(namespace) == [inner]
    assert catalog.list_namespaces(inner) == [innermost]
    assert (namespace,) in catalog.list_namespaces()
    assert catalog.load_namespace_properties(inner).items() >= {"owner": "me", "ü": "ž"}.items()
    catalog.create_table((*innermost, "t"), SCHEMA)
    assert catalog.list_tables(innermost) == [(*innermost, "t")]
    assert catalog.list_tables(inner) == []


def test_properties_of_a_namespace_change(catalog, namespace):
    catalog.update_namespace_properties(namespace, updates={"a": "1", "b": "2"})
    summary = catalog.update_namespace_properties(
        namespace, removals={"a", "none"}, updates={"b": "3"}
    )
    assert (summary.removed, summary.updated, summary.missing) == (["a"], ["b"], ["none"])
    found = catalog.load_namespace_properties(namespace)
    assert found.get("b") == "3"
    assert "a" not in found


def test_namespaces_are_refused_as_the_specification_says(catalog, namespace):
    with pytest.raises(NamespaceAlreadyExistsError):
        catalog.create_namespace(namespace)
    with pytest.raises(NoSuchNamespaceError):
        catalog.list_tables("no_such")
    with pytest.raises(NoSuchNamespaceError):
        catalog.drop_namespace("no_such")
    with pytest.raises(NoSuchNamespaceError):
        catalog.create_table(("no_such", "t"), SCHEMA)
    catalog.create_table((namespace, "t"), SCHEMA)
    with pytest.raises(NamespaceNotEmptyError):
        catalog.drop_namespace(namespace)
    catalog.drop_table((namespace, "t"))
    catalog.drop_namespace(namespace)
    assert not catalog.namespace_exists(namespace)


@pytest.mark.parametrize("size", ["1", "7", "1000"])
def test_pages_of_a_listing_hold_everything_once(catalog, namespace, size):
    names = [f"t{number:02}" for number in range(23)]
    for name in names:
        catalog.create_table((namespace, name), SCHEMA)
        catalog.create_namespace((namespace, name))
    paged = connect(rest_page_size=size)
    assert sorted(paged.list_tables(namespace)) == [(namespace, name) for name in names]
    assert sorted(paged.list_namespaces(namespace)) == [(namespace, name) for name in names]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_table_may_have_an_odd_name(catalog, namespace, name):
    catalog.create_table((namespace, name), SCHEMA).append(ROWS)
    assert catalog.list_tables(namespace) == [(namespace, name)]
    assert catalog.table_exists((namespace, name))
    assert len(catalog.load_table((namespace, name)).scan().to_arrow()) == 1
    catalog.rename_table((namespace, name), (namespace, f"{name} 2"))
    assert len(catalog.load_table((namespace, f"{name} 2")).scan().to_arrow()) == 1
    catalog.drop_table((namespace, f"{name} 2"))
    assert catalog.list_tables(namespace) == []


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_namespace_may_have_an_odd_name(catalog, namespace, name):
    odd = (namespace, name)
    catalog.create_namespace(odd, {"a": "1"})
    assert catalog.list_namespaces(namespace) == [odd]
    catalog.create_table((*odd, "t"), SCHEMA).append(ROWS)
    assert catalog.list_tables(odd) == [(*odd, "t")]
    assert len(catalog.load_table((*odd, "t")).scan().to_arrow()) == 1
    catalog.drop_table((*odd, "t"))
    catalog.drop_namespace(odd)
    assert not catalog.namespace_exists(odd)


def test_a_renamed_table_keeps_its_uuid_and_rows(catalog, namespace):
    other = (namespace, "other")
    catalog.create_namespace(other)
    made = catalog.create_table((namespace, "t"), SCHEMA)
    made.append(ROWS)
    catalog.rename_table((namespace, "t"), (*other, "moved"))
    loaded = catalog.load_table((*other, "moved"))
    assert loaded.metadata.table_uuid == made.metadata.table_uuid
    assert len(loaded.scan().to_arrow()) == 1
    loaded.append(ROWS)
    assert not catalog.table_exists((namespace, "t"))
    with pytest.raises(NoSuchTableError):
        catalog.rename_table((namespace, "t"), (namespace, "u"))


def test_a_table_is_not_renamed_onto_another(catalog, namespace):
    for name in ("a", "b"):
        catalog.create_table((namespace, name), SCHEMA)
    with pytest.raises(TableAlreadyExistsError):
        catalog.rename_table((namespace, "a"), (namespace, "b"))
    with pytest.raises(NoSuchNamespaceError):
        catalog.rename_table((namespace, "a"), ("no_such", "a"))


def test_a_dropped_table_is_registered_again(catalog, namespace):
    made = catalog.create_table((namespace, "t"), SCHEMA)
    made.append(ROWS)
    catalog.drop_table((namespace, "t"))
    back = catalog.register_table((namespace, "back"), made.metadata_location)
    assert back.metadata.table_uuid == made.metadata.table_uuid
    assert len(back.scan().to_arrow()) == 1
    back.append(ROWS)
    assert len(catalog.load_table((namespace, "back")).scan().to_arrow()) == 2
    with pytest.raises(TableAlreadyExistsError):
        catalog.register_table((namespace, "back"), made.metadata_location)


def test_an_older_metadata_file_is_registered_over_the_table(catalog, namespace):
    table = catalog.create_table((namespace, "t"), SCHEMA)
    table.append(ROWS)
    before = table.metadata_location
    table.append(ROWS)
    catalog.register_table((namespace, "t"), before, overwrite=True)
    assert len(catalog.load_table((namespace, "t")).scan().to_arrow()) == 1


def test_a_metadata_file_that_is_not_there_cannot_be_registered(catalog, namespace):
    made = catalog.create_table((namespace, "t"), SCHEMA)
    with pytest.raises(Exception, match="(?i)not ?found|does not exist|failed to open"):
        catalog.register_table((namespace, "u"), f"{made.location()}/metadata/none.metadata.json")
    assert not catalog.table_exists((namespace, "u"))


def test_a_given_location_is_kept(catalog, namespace):
    base = catalog.create_table((namespace, "base"), SCHEMA).location()
    given = f"{base}_given/deep"
    table = catalog.create_table((namespace, "t"), SCHEMA, location=given)
    table.append(ROWS)
    assert catalog.load_table((namespace, "t")).location() == given
    assert table.metadata_location.startswith(f"{given}/metadata/")


def test_default_locations_are_never_shared(catalog, namespace):
    first = catalog.create_table((namespace, "t"), SCHEMA).location()
    catalog.rename_table((namespace, "t"), (namespace, "u"))
    assert catalog.create_table((namespace, "t"), SCHEMA).location() != first


def test_a_table_is_registered_where_it_lies_and_purged_with_its_own_files_only(
    catalog, namespace, folder, people
):
    location = f"file://{folder}/adopted"
    made = catalog.create_table(f"{namespace}.made", people.schema, location=location)
    made.append(people)
    beside = folder / "beside.txt"
    beside.write_text("of somebody else")
    catalog.drop_table(f"{namespace}.made")

    adopted = catalog.register_table(f"{namespace}.adopted", made.metadata_location)
    assert adopted.location() == location
    assert adopted.scan().to_arrow().equals(people)
    adopted.append(people)
    assert catalog.load_table(f"{namespace}.adopted").scan().to_arrow().num_rows == 8

    catalog.purge_table(f"{namespace}.adopted")
    assert beside.read_text() == "of somebody else"
    with pytest.raises(NoSuchTableError):
        catalog.load_table(f"{namespace}.adopted")
