import pyarrow as pa
import pytest
from moraine import rows
from pyiceberg.exceptions import NoSuchTableError, TableAlreadyExistsError
from pyiceberg.expressions import EqualTo, GreaterThan
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType


def numbers(*values: int) -> pa.Table:
    return pa.table({"id": pa.array(values, pa.int64())})


def ids(table) -> list[int]:
    return sorted(table.scan().to_arrow()["id"].to_pylist())


def test_a_new_table_is_empty_and_known_by_its_uuid(catalog, namespace, people):
    made = catalog.create_table((namespace, "people"), people.schema, properties={"owner": "me"})
    loaded = catalog.load_table((namespace, "people"))
    assert loaded.metadata.table_uuid == made.metadata.table_uuid
    assert loaded.current_snapshot() is None
    assert loaded.properties["owner"] == "me"
    assert len(loaded.scan().to_arrow()) == 0


def test_a_name_that_is_taken_is_refused(catalog, namespace, people):
    catalog.create_table((namespace, "people"), people.schema)
    with pytest.raises(TableAlreadyExistsError):
        catalog.create_table((namespace, "people"), people.schema)


def test_what_is_appended_is_read_back(catalog, namespace, people):
    table = catalog.create_table((namespace, "people"), people.schema)
    table.append(people)
    table.append(people.slice(0, 1))
    read = catalog.load_table((namespace, "people")).scan().to_arrow()
    assert rows(read) == rows(pa.concat_tables([people, people.slice(0, 1)]))


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_format_versions_take_appends(catalog, namespace, version):
    table = catalog.create_table(
        (namespace, "t"), numbers().schema, properties={"format-version": version}
    )
    table.append(numbers(1))
    table.append(numbers(2))
    loaded = catalog.load_table((namespace, "t"))
    assert loaded.format_version == int(version)
    assert ids(loaded) == [1, 2]


def test_a_version_1_table_is_upgraded(catalog, namespace):
    table = catalog.create_table(
        (namespace, "t"), numbers().schema, properties={"format-version": "1"}
    )
    table.append(numbers(1))
    with table.transaction() as transaction:
        transaction.upgrade_table_version(2)
    table.append(numbers(2))
    loaded = catalog.load_table((namespace, "t"))
    assert loaded.format_version == 2
    assert ids(loaded) == [1, 2]


def test_overwrite_replaces_everything_or_what_matches(catalog, namespace):
    table = catalog.create_table((namespace, "t"), numbers().schema)
    table.append(numbers(1, 2, 3))
    table.overwrite(numbers(4, 5))
    assert ids(table) == [4, 5]
    table.overwrite(numbers(6), overwrite_filter=EqualTo("id", 4))
    assert ids(catalog.load_table((namespace, "t"))) == [5, 6]


def test_delete_copies_on_write(catalog, namespace, people):
    table = catalog.create_table((namespace, "people"), people.schema)
    table.append(people)
    table.delete(GreaterThan("id", 2))
    assert ids(catalog.load_table((namespace, "people"))) == [1, 2]
    assert table.inspect.delete_files().num_rows == 0
    table.delete("id = 1 or id = 2")
    assert ids(catalog.load_table((namespace, "people"))) == []


def test_upsert_changes_what_is_there_and_adds_the_rest(catalog, namespace):
    schema = Schema(
        NestedField(1, "id", LongType(), required=True),
        NestedField(2, "name", StringType()),
        identifier_field_ids=[1],
    )
    arrow = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("name", pa.string())])
    table = catalog.create_table((namespace, "t"), schema)
    table.append(pa.Table.from_pylist([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}], arrow))
    change = [{"id": 2, "name": "B"}, {"id": 3, "name": "c"}]
    result = table.upsert(pa.Table.from_pylist(change, arrow))
    assert (result.rows_updated, result.rows_inserted) == (1, 1)
    read = catalog.load_table((namespace, "t")).scan().to_arrow()
    assert rows(read) == [(1, "a"), (2, "B"), (3, "c")]


def test_a_partition_is_overwritten_dynamically(catalog, namespace):
    arrow = pa.schema([("day", pa.string()), ("id", pa.int64())])
    table = catalog.create_table((namespace, "t"), arrow)
    with table.update_spec() as update:
        update.add_identity("day")
    first = [{"day": "mon", "id": 1}, {"day": "tue", "id": 2}]
    table.append(pa.Table.from_pylist(first, arrow))
    table.dynamic_partition_overwrite(pa.Table.from_pylist([{"day": "tue", "id": 9}], arrow))
    read = catalog.load_table((namespace, "t")).scan().to_arrow()
    assert rows(read) == [("mon", 1), ("tue", 9)]


def test_a_transaction_is_one_commit(catalog, namespace):
    table = catalog.create_table((namespace, "t"), numbers().schema)
    with table.transaction() as transaction:
        transaction.append(numbers(1))
        transaction.set_properties(stage="both")
        transaction.append(numbers(2))
    loaded = catalog.load_table((namespace, "t"))
    assert ids(loaded) == [1, 2]
    assert loaded.properties["stage"] == "both"
    assert len(loaded.metadata.metadata_log) == 1


def test_properties_are_set_and_removed(catalog, namespace):
    table = catalog.create_table((namespace, "t"), numbers().schema, properties={"a": "1"})
    with table.transaction() as transaction:
        transaction.set_properties({"b": "2", "ż/ %20": "ü"})
        transaction.remove_properties("a")
    found = catalog.load_table((namespace, "t")).properties
    assert "a" not in found
    assert (found["b"], found["ż/ %20"]) == ("2", "ü")


def test_a_staged_creation_shows_nothing_until_it_is_committed(catalog, namespace):
    transaction = catalog.create_table_transaction((namespace, "t"), numbers().schema)
    assert not catalog.table_exists((namespace, "t"))
    transaction.append(numbers(1, 2))
    transaction.commit_transaction()
    assert ids(catalog.load_table((namespace, "t"))) == [1, 2]


def test_of_two_staged_creations_one_wins(catalog, namespace):
    first = catalog.create_table_transaction((namespace, "t"), numbers().schema)
    second = catalog.create_table_transaction((namespace, "t"), numbers().schema)
    first.commit_transaction()
    with pytest.raises(Exception, match="already exists"):
        second.commit_transaction()


def test_a_dropped_table_is_gone_and_a_purged_one_too(catalog, namespace):
    for name in ("dropped", "purged"):
        catalog.create_table((namespace, name), numbers().schema).append(numbers(1))
    catalog.drop_table((namespace, "dropped"))
    catalog.purge_table((namespace, "purged"))
    for name in ("dropped", "purged"):
        assert not catalog.table_exists((namespace, name))
        with pytest.raises(NoSuchTableError):
            catalog.load_table((namespace, name))
