from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moraine import rows
from pyiceberg.exceptions import ValidationError
from pyiceberg.table.sorting import NullOrder, SortDirection
from pyiceberg.transforms import BucketTransform, DayTransform, IdentityTransform, YearTransform
from pyiceberg.types import DecimalType, DoubleType, LongType, NestedField, StringType, StructType


def test_columns_are_added_renamed_moved_widened_and_dropped(catalog, namespace):
    arrow = pa.schema([("a", pa.int32()), ("b", pa.float32()), ("c", pa.string())])
    table = catalog.create_table((namespace, "t"), arrow)
    table.append(pa.Table.from_pylist([{"a": 1, "b": 0.5, "c": "x"}], arrow))
    with table.update_schema() as update:
        update.add_column("d", StringType(), doc="new")
        update.rename_column("a", "alpha")
        update.update_column("a", LongType())
        update.update_column("b", DoubleType())
        update.delete_column("c")
        update.move_first("d")
    table.append(
        pa.table(
            {
                "d": ["y"],
                "alpha": pa.array([2**40], pa.int64()),
                "b": pa.array([1.5], pa.float64()),
            }
        )
    )
    loaded = catalog.load_table((namespace, "t"))
    assert [field.name for field in loaded.schema().fields] == ["d", "alpha", "b"]
    assert rows(loaded.scan().to_arrow(), ["alpha", "b", "d"]) == [
        (1, 0.5, None),
        (2**40, 1.5, "y"),
    ]
    assert len(loaded.schemas()) == 2


def test_a_dropped_column_that_comes_back_has_no_old_values(catalog, namespace):
    arrow = pa.schema([("a", pa.int64()), ("b", pa.string())])
    table = catalog.create_table((namespace, "t"), arrow)
    table.append(pa.Table.from_pylist([{"a": 1, "b": "old"}], arrow))
    with table.update_schema() as update:
        update.delete_column("b")
    with table.update_schema() as update:
        update.add_column("b", StringType())
    assert rows(catalog.load_table((namespace, "t")).scan().to_arrow()) == [(1, None)]


def test_a_nested_column_grows(catalog, namespace):
    arrow = pa.schema([("at", pa.struct([("x", pa.int64())]))])
    table = catalog.create_table((namespace, "t"), arrow)
    table.append(pa.Table.from_pylist([{"at": {"x": 1}}], arrow))
    with table.update_schema() as update:
        update.add_column(("at", "y"), DecimalType(9, 2))
    read = catalog.load_table((namespace, "t")).scan().to_arrow()
    assert read.to_pylist() == [{"at": {"x": 1, "y": None}}]


def test_a_change_that_is_not_allowed_is_refused(catalog, namespace):
    table = catalog.create_table((namespace, "t"), pa.schema([("a", pa.int64())]))
    refused = pytest.raises(ValidationError, match="Cannot change column type")
    with refused, table.update_schema() as update:
        update.update_column("a", StringType())
    assert catalog.load_table((namespace, "t")).schema().find_type("a") == LongType()


EVENTS = pa.schema([("at", pa.timestamp("us")), ("kind", pa.string()), ("id", pa.int64())])


def event(year: int, kind: str, number: int) -> pa.Table:
    row = {"at": datetime(year, 3, 17, 23, 51), "kind": kind, "id": number}
    return pa.Table.from_pylist([row], EVENTS)


def test_the_partition_spec_changes_and_both_layouts_are_read(catalog, namespace):
    table = catalog.create_table((namespace, "t"), EVENTS)
    table.append(event(2023, "a", 1))
    with table.update_spec() as update:
        update.add_field("at", YearTransform(), "at_year")
    table.append(event(2024, "a", 2))
    with table.update_spec() as update:
        update.remove_field("at_year")
        update.add_field("at", DayTransform(), "at_day")
        update.add_field("id", BucketTransform(4), "id_bucket")
        update.add_field("kind", IdentityTransform(), "kind_is")
    table.append(pa.concat_tables([event(2025, "b", 3), event(2025, None, 4)]))
    loaded = catalog.load_table((namespace, "t"))
    assert len(loaded.specs()) == 3
    assert sorted(loaded.scan().to_arrow()["id"].to_pylist()) == [1, 2, 3, 4]
    found = loaded.scan("at >= '2024-01-01T00:00:00'")
    assert len(list(found.plan_files())) == 3
    assert sorted(found.to_arrow()["id"].to_pylist()) == [2, 3, 4]
    assert len(list(loaded.scan("kind = 'b'").plan_files())) <= 3


@pytest.mark.parametrize(
    ("arrow_type", "value"),
    [
        (pa.int32(), -7),
        (pa.date32(), date(1969, 12, 31)),
        (pa.bool_(), True),
        (pa.string(), "a/b=c d%20é"),
        (pa.decimal128(9, 2), 12345),
        (pa.binary(), b"\x00\xff"),
    ],
    ids=str,
)
def test_identity_partitions_of_each_type_are_kept(catalog, namespace, arrow_type, value):
    arrow = pa.schema([("p", arrow_type), ("id", pa.int64())])
    table = catalog.create_table((namespace, "t"), arrow)
    with table.update_spec() as update:
        update.add_identity("p")
    data = pa.Table.from_pylist([{"p": value, "id": 1}, {"p": None, "id": 2}], arrow)
    table.append(data)
    loaded = catalog.load_table((namespace, "t"))
    assert rows(loaded.scan().to_arrow()) == rows(data)
    assert len(list(loaded.scan().plan_files())) == 2


def test_a_table_of_version_3_is_made_and_changed(catalog, namespace):
    """PyIceberg 0.12 does not write the manifests of version 3: Spark's suite does."""
    table = catalog.create_table(
        (namespace, "t"), pa.schema([("a", pa.int64())]), properties={"format-version": "3"}
    )
    with table.update_schema() as update:
        update.add_column("b", StringType())
    loaded = catalog.load_table((namespace, "t"))
    assert loaded.format_version == 3
    assert loaded.metadata.next_row_id == 0
    assert [field.name for field in loaded.schema().fields] == ["a", "b"]


def test_what_v1_writes_to_a_table_of_version_3_is_read(catalog, v1, namespace, folder):
    numbers = pa.table({"a": pa.array(range(10), pa.int64())})
    catalog.create_table((namespace, "t"), numbers.schema, properties={"format-version": "3"})
    for name, part in (("one", numbers[:6]), ("two", numbers[6:])):
        pq.write_table(part, folder / f"{name}.parquet")
        path = str(folder / f"{name}.parquet")
        v1.post(f"/v1/tables/{namespace}.t/files", {"files": [{"path": path}]})
    loaded = catalog.load_table((namespace, "t"))
    assert rows(loaded.scan().to_arrow()) == rows(numbers)
    taken = [(each.first_row_id, each.added_rows) for each in loaded.metadata.snapshots]
    assert taken == [(0, 6), (6, 4)]
    assert loaded.metadata.next_row_id == 10
    # The rows move to other files, which have columns of their ids.
    changes = [{"op": "type", "name": "a", "type": "double"}]
    v1.post(f"/v1/tables/{namespace}.t/schemas", {"changes": changes})
    again = catalog.load_table((namespace, "t"))
    assert again.scan().to_arrow().to_pydict() == {"a": [float(n) for n in range(10)]}
    assert again.metadata.next_row_id == 20


def test_the_sort_order_changes(catalog, namespace):
    table = catalog.create_table((namespace, "t"), pa.schema([("a", pa.int64())]))
    with table.update_sort_order() as update:
        update.desc("a", IdentityTransform(), NullOrder.NULLS_LAST)
    order = catalog.load_table((namespace, "t")).sort_order()
    assert [field.direction for field in order.fields] == [SortDirection.DESC]


def test_a_struct_schema_keeps_its_ids_and_docs(catalog, namespace):
    inner = StructType(NestedField(20, "x", LongType(), doc="inner"))
    from pyiceberg.schema import Schema

    schema = Schema(NestedField(10, "s", inner, doc="outer", required=True))
    catalog.create_table((namespace, "t"), schema)
    field = catalog.load_table((namespace, "t")).schema().find_field("s")
    assert (field.doc, field.required) == ("outer", True)
    assert field.field_type.fields[0].doc == "inner"
