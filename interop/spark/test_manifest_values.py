"""Files of Hive layouts: partition columns are in names of folders, and so in manifests only."""

import datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet
import pytest
from java_table import JavaTable
from written_table import Condition, same

# All types that Spark's `add_files` takes as partitions.
VALUES = {
    "INT": [-1, 0, 2147483647],
    "BIGINT": [-(2**62), 0, 3_000_000_000],
    "STRING": ["a b", "ż", "100%"],
    "DATE": [datetime.date(1969, 12, 31), datetime.date(1970, 1, 1), datetime.date(2024, 2, 29)],
    "BOOLEAN": [True, False, True],
    "FLOAT": [-1.5, 0.0, 0.1],
    "DOUBLE": [-1.5, 0.0, 0.1],
    "DECIMAL(9, 2)": [Decimal("-1.55"), Decimal("0.00"), Decimal("9999999.99")],
    "BINARY": [b"a", b"b", b"c"],
}


def literal(type_: str, value) -> Condition:
    if type_ == "BINARY":
        return same(f"X'{value.hex()}'")
    if type_ in ("STRING", "DATE"):
        return Condition(f"'{value}'", f"CAST('{value}' AS {type_})")
    return Condition(str(value).lower(), f"CAST('{value}' AS {type_})")


def write_layout(folder, values: list, *, has_null: bool) -> None:
    """A folder for each value, with a file of two rows."""
    for i, value in enumerate([*values, *([None] if has_null else [])]):
        text = "__HIVE_DEFAULT_PARTITION__" if value is None else as_text(value)
        part = folder / f"p={text}"
        part.mkdir(exist_ok=True)
        rows = pa.table({"id": [10 * i, 10 * i + 1], "v": ["x", None]})
        pa.parquet.write_table(rows, part / f"{i}.parquet")


def as_text(value) -> str:
    if isinstance(value, bytes):
        return value.decode()
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("type_", VALUES)
def test_values_of_folders_are_dumped_filtered_and_deleted_by(make, folder, type_):
    table = make(f"id BIGINT, v STRING, p {type_}", "PARTITIONED BY (p)")
    write_layout(folder, VALUES[type_], has_null=type_ != "BINARY")
    table.do(
        "CALL moraine.system.add_files(table => '$t', source_table => '`parquet`.`"
        f"{folder}`')".replace("$t", table.identifier)
    )
    rows = table.assert_dumped()
    assert len(rows) == 2 * len(VALUES[type_]) + 2 * (type_ != "BINARY")
    conditions = [
        Condition(f"p {operator} {value.moraine}", f"p {operator} {value.spark}")
        for value in (literal(type_, value) for value in VALUES[type_])
        for operator in ("=", "<>", "<", ">=")
    ]
    nulls = [same("p IS NULL"), same("p IS NOT NULL")]
    for files, planned in table.assert_no_row_is_pruned([*conditions, *nulls]):
        # Engines disagree on which 32-bit number 0.1 is.
        assert files == planned or type_ == "FLOAT"
    table.do(f"DELETE FROM $t WHERE p = {literal(type_, VALUES[type_][1]).spark} AND id % 2 = 0")
    JavaTable(table.spark, table.sql).delete_equal([0], ["p", "v"])
    table.do("INSERT INTO $t SELECT id + 1000, 'new', p FROM $t WHERE v IS NULL")
    assert 0 not in [row["id"] for row in table.assert_dumped()]
    table.assert_no_row_is_pruned([*conditions, *nulls])


def test_columns_of_folders_change_their_names_types_and_places(make, folder):
    table = make("id BIGINT, v STRING, p INT, q FLOAT", "PARTITIONED BY (p, q)")
    for p in (-1, 7):
        part = folder / f"p={p}" / "q=0.5"
        part.mkdir(parents=True)
        pa.parquet.write_table(pa.table({"id": [p], "v": ["x"]}), part / "f.parquet")
    source = f"source_table => '`parquet`.`{folder}`'"
    table.do(f"CALL moraine.system.add_files(table => '{table.identifier}', {source})")
    for change in (
        "ALTER COLUMN p TYPE BIGINT",
        "ALTER COLUMN q TYPE DOUBLE",
        "RENAME COLUMN v TO w",
        "RENAME COLUMN p TO v",
        "ALTER COLUMN q FIRST",
    ):
        table.do(f"ALTER TABLE $t {change}")
        table.assert_dumped()
    table.do("INSERT INTO $t (id, w, v, q) VALUES (1, 'y', 3000000000, 0.1)")
    table.do("ALTER TABLE $t DROP PARTITION FIELD v")
    table.do("INSERT INTO $t (id, w, v, q) VALUES (2, 'y', 7, 0.1)")
    table.do("DELETE FROM $t WHERE v = -1 OR id = 2")
    assert len(table.assert_dumped()) == 2
    table.assert_no_row_is_pruned(
        [same(f"{name} {op} {n}") for name in "vq" for op in ("=", "<", ">") for n in (-1, 0.5, 7)]
    )
