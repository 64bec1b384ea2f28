"""Files of older schemas, also below structs, lists and maps."""

import pytest
from written_table import same

COLUMNS = (
    "id BIGINT, i INT, f FLOAT, d DECIMAL(4, 2), a STRING, b STRING,"
    " s STRUCT<x: INT, y: STRING, deep: STRUCT<z: FLOAT>>,"
    " l ARRAY<STRUCT<x: INT, y: STRING>>, m MAP<STRING, STRUCT<x: INT, y: FLOAT>>,"
    " k MAP<INT, ARRAY<INT>>"
)
ROWS = """
    (0, 1, 0.1, 1.50, 'a', 'b', named_struct('x', 1, 'y', 'q"', 'deep', named_struct('z', 0.1)),
     array(named_struct('x', 1, 'y', 'e'), NULL), map('k,', named_struct('x', 1, 'y', 0.5)),
     map(7, array(1, NULL))),
    (1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (2, -1, -0.0, -0.01, '', 'n\\n', named_struct('x', NULL, 'y', NULL, 'deep', NULL), array(),
     map('', NULL), map(-1, NULL)),
    (3, 2147483647, 1e30, 99.99, 'ż', ',', named_struct('x', 5, 'y', '', 'deep',
     named_struct('z', NULL)), array(named_struct('x', NULL, 'y', NULL)), map(), map())
"""
CHANGES = (
    "ALTER COLUMN i TYPE BIGINT",
    "ALTER COLUMN f TYPE DOUBLE",
    "ALTER COLUMN d TYPE DECIMAL(38, 2)",
    "RENAME COLUMN a TO c",
    "RENAME COLUMN b TO a",
    "RENAME COLUMN c TO b",
    "ALTER COLUMN s.x TYPE BIGINT",
    "ALTER COLUMN s.deep.z TYPE DOUBLE",
    "RENAME COLUMN s.y TO w",
    "ADD COLUMN s.deep.y STRING FIRST",
    "ALTER COLUMN s.deep FIRST",
    "ALTER COLUMN l.element.x TYPE BIGINT",
    "RENAME COLUMN l.element.y TO w",
    "ADD COLUMN l.element.y INT FIRST",
    "ALTER COLUMN m.value.x TYPE BIGINT",
    "ALTER COLUMN m.value.y TYPE DOUBLE",
    "ALTER COLUMN m.value.y FIRST",
    "ADD COLUMN m.value.n STRING",
    "ALTER COLUMN k.value.element TYPE BIGINT",
    "DROP COLUMN s.w",
    "ADD COLUMN s.w BOOLEAN",
    "DROP COLUMN l.element.w",
    "DROP COLUMN f",
    "ADD COLUMN f STRING AFTER id",
    "ALTER COLUMN m AFTER id",
    "DROP COLUMN m.value.x",
)
NEW_ROW = """
    INSERT INTO $t (id, m, f, i, d, b, a, s, l, k) VALUES
    (9, map('k', named_struct('y', 0.1, 'n', 'new')), 'text', 3000000000, 123456789012345678.99,
     'b', 'a', named_struct('deep', named_struct('y', 'y', 'z', 0.1), 'x', 3000000000, 'w', true),
     array(named_struct('y', 1, 'x', 3000000000)), map(1, array(3000000000)))
"""
CONDITIONS = [
    *(same(f"i {op} {n}") for op in ("=", "<", ">") for n in (-1, 1, 3_000_000_000)),
    *(same(f"d {op} {n}") for op in ("=", "<", ">") for n in ("-0.01", "1.50", "99.995")),
    *(same(f"s.x {op} {n}") for op in ("=", "<", ">") for n in (1, 5, 3_000_000_000)),
    *(same(f"s.deep.z {op} {n}") for op in ("<", ">=") for n in (0.1, 1)),
    *(same(f"{name} IS {word}") for name in "fabs" for word in ("NULL", "NOT NULL")),
    *(same(f"{name} = '{text}'") for name in "abf" for text in ("a", "b", "text", "")),
    same("s.w IS NULL"),
    same("s.w = true"),
    same("s.deep.y IS NULL"),
    same("s.deep.y = 'y'"),
]


# Not by `s.x` itself: Spark then reads a struct that is null as one of nulls.
@pytest.mark.parametrize(
    ("version", "clauses"), [(2, ""), (3, "PARTITIONED BY (bucket(3, id), bucket(2, s.x))")]
)
def test_every_change_of_the_schema_is_dumped_as_spark_reads_it(make, version, clauses):
    table = make(COLUMNS, clauses, version)
    table.do(f"INSERT INTO $t VALUES {ROWS}")
    table.do("INSERT INTO $t SELECT id + 100, i, f, d, a, b, s, l, m, k FROM $t")
    table.assert_dumped()
    for change in CHANGES:
        if clauses and "s.x" in change:
            continue
        table.do(f"ALTER TABLE $t {change}")
        if not change.startswith(("DROP", "ALTER COLUMN i")):
            continue
        table.assert_dumped()
    table.do(NEW_ROW if not clauses else NEW_ROW.replace("'x', 3000000000, 'w'", "'x', 30, 'w'"))
    table.do("UPDATE $t SET f = 'updated', s.deep.y = 'y' WHERE id = 100")
    table.do("DELETE FROM $t WHERE id = 101")
    assert len(table.assert_dumped()) == 8
    table.assert_no_row_is_pruned(CONDITIONS)


def test_columns_of_a_format_1_table_keep_their_partitions_when_a_field_is_dropped(make):
    table = make("id BIGINT, v STRING, at TIMESTAMP", "PARTITIONED BY (v, days(at))", 1)
    table.do("INSERT INTO $t VALUES (1, 'a', TIMESTAMP '2024-02-29 00:00:00'), (2, NULL, NULL)")
    table.do("ALTER TABLE $t DROP PARTITION FIELD v")  # it becomes void
    table.do("INSERT INTO $t VALUES (3, 'a', TIMESTAMP '1969-12-31 00:00:00'), (4, 'b', NULL)")
    table.do("ALTER TABLE $t DROP PARTITION FIELD days(at)")
    table.do("INSERT INTO $t VALUES (5, 'c', TIMESTAMP '2024-02-29 00:00:00'), (6, NULL, NULL)")
    assert len(table.assert_dumped()) == 6
    table.assert_no_row_is_pruned(
        [
            *(same(f"v {op} '{text}'") for op in ("=", "<>", "<") for text in "abc"),
            *(same(f"at {op} TIMESTAMP '2024-02-29 00:00:00'") for op in ("=", "<", ">")),
            same("v IS NULL"),
            same("at IS NOT NULL"),
        ]
    )
    table.do("ALTER TABLE $t SET TBLPROPERTIES ('format-version' = '2')")
    table.do("DELETE FROM $t WHERE id % 2 = 0")
    assert len(table.assert_dumped()) == 3
