"""Deletes of every kind, on tables of every type."""

import pytest
from java_table import JavaTable
from test_partitions import COLUMNS, PARTITIONED, VALUES, fill

ALL = "id BIGINT, " + ", ".join(f"{name} {type_}" for type_, name in COLUMNS.items())


def ids(rows: list[dict]) -> list[int]:
    return sorted(row["id"] for row in rows)


def java(table) -> JavaTable:
    return JavaTable(table.spark, table.sql)


@pytest.mark.parametrize("type_", VALUES)
def test_equality_deletes_are_applied_to_columns_of_every_type(make, type_):
    table = make(f"id BIGINT, v {type_}")
    fill(table, [type_])
    count = len(VALUES[type_])
    java(table).delete_equal([1, count], ["v"])  # a value, and null
    kept = [i for i in range(count) if VALUES[type_][i] != VALUES[type_][1]]
    assert ids(table.assert_dumped()) == kept
    table.do(f"INSERT INTO $t SELECT 50, v FROM $t WHERE id = {kept[0]}")
    java(table).delete_equal([50], ["id", "v"])
    assert ids(table.assert_dumped()) == kept


@pytest.mark.parametrize("transform", PARTITIONED)
def test_equality_deletes_of_a_partition_are_applied_to_it(make, transform):
    fields = ", ".join(transform.format(COLUMNS[type_]) for type_ in PARTITIONED[transform])
    table = make(ALL, f"PARTITIONED BY ({fields})")
    fill(table)
    java(table).delete_equal([1, 4, 6], [COLUMNS["STRING"], COLUMNS["TIMESTAMP"]])
    table.do("INSERT INTO $t SELECT * FROM $t WHERE id = 0")
    assert ids(table.assert_dumped()) == [0, 0, 2, 3, 5]


def test_equality_deletes_without_a_partition_apply_to_all(make):
    table = make("id BIGINT, v STRING")
    table.do("INSERT INTO $t VALUES (1, 'a'), (2, 'b')")
    table.do("ALTER TABLE $t ADD PARTITION FIELD v")
    table.do("INSERT INTO $t VALUES (3, 'a'), (4, 'b'), (5, NULL)")
    table.do("ALTER TABLE $t DROP PARTITION FIELD v")
    java(table).delete_equal([3, 5], ["v"])
    table.do("INSERT INTO $t VALUES (6, 'a')")
    assert ids(table.assert_dumped()) == [2, 4, 6]


@pytest.mark.parametrize("version", [2, 3])
def test_deletes_of_all_kinds_are_applied_after_the_columns_changed(make, version):
    table = make("id BIGINT, k INT, f FLOAT, d DECIMAL(4, 2), gone STRING", version=version)
    table.do("INSERT INTO $t SELECT /*+ COALESCE(1) */ id, id, id, id, 'x' || id FROM range(10)")
    java(table).delete_equal([1], ["k", "f", "d"])
    java(table).delete_equal([2], ["gone", "k"])
    table.do("DELETE FROM $t WHERE id = 3")
    for change in (
        "ALTER COLUMN k TYPE BIGINT",
        "ALTER COLUMN f TYPE DOUBLE",
        "ALTER COLUMN d TYPE DECIMAL(20, 2)",
        "RENAME COLUMN k TO key",
        "RENAME COLUMN f TO k",
        "ALTER COLUMN d FIRST",
    ):
        table.do(f"ALTER TABLE $t {change}")
    table.do("INSERT INTO $t VALUES (4, 10, 4, 4, 'y'), (5, 11, 5, 5, NULL)")
    java(table).delete_equal([4], ["key", "k", "d"])  # of both files
    java(table).delete_equal([11], ["gone"])
    table.do("DELETE FROM $t WHERE id IN (5, 6)")
    assert ids(table.assert_dumped()) == [0, 7, 8, 9]


def test_an_equality_delete_of_a_dropped_column_is_applied_where_spark_gives_up(make, dump):
    table = make("id BIGINT, gone INT")
    table.do("INSERT INTO $t VALUES (1, 1), (2, 2), (3, NULL)")
    java(table).delete_equal([1, 3], ["gone"])
    table.do("ALTER TABLE $t DROP COLUMN gone")
    with pytest.raises(Exception, match="Cannot find required field for ID"):
        table.rows()
    assert dump(table.identifier) == ["2"]


def test_an_equality_delete_of_a_member_is_applied(make):
    table = make("id BIGINT, s STRUCT<a: INT, b: STRING>")
    table.do(
        "INSERT INTO $t VALUES (1, named_struct('a', 1, 'b', 'x')), (2, named_struct('a', 2,"
        " 'b', 'x')), (3, NULL), (4, named_struct('a', NULL, 'b', 'y'))"
    )
    java(table).delete_equal([1], ["s.a"])
    assert ids(table.assert_dumped()) == [2, 3, 4]


@pytest.mark.parametrize("version", [2, 3])
def test_positions_are_deleted_file_by_file_and_once_more(make, version):
    table = make("id BIGINT, v STRING", "PARTITIONED BY (v)", version)
    for start in (0, 100):
        table.do(
            "INSERT INTO $t SELECT /*+ COALESCE(1) */ id, 'p' || id % 2"
            f" FROM range({start}, {start + 100})"
        )
    for part in range(3):
        table.do(f"DELETE FROM $t WHERE id % 7 = {part}")
    table.do("UPDATE $t SET v = 'p1' WHERE id % 10 = 0")
    assert len(table.assert_dumped()) == len([i for i in range(200) if i % 7 > 2])
