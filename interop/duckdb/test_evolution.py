"""Files of older schemas and layouts, of every kind of column."""

import duckdb
import pytest
from written_table import assert_dumped, assert_no_row_is_pruned

COLUMNS = (
    "id BIGINT, i INTEGER, f FLOAT, d DECIMAL(4, 2), a VARCHAR, b VARCHAR,"
    " s STRUCT(x INTEGER, y VARCHAR), l STRUCT(x INTEGER)[], m MAP(VARCHAR, FLOAT)"
)
ROWS = """
    (0, 1, 0.1, 1.50, 'a', 'b', {'x': 1, 'y': 'q"'}, [{'x': 1}, NULL], MAP {'k': 0.5, 'l': 0.1}),
    (1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (2, -1, -0.0, -0.01, '', ',', {'x': NULL, 'y': NULL}, [], MAP {}),
    (3, 2147483647, 1e30, 99.99, 'ż', 'b', {'x': 5, 'y': ''}, [{'x': NULL}], MAP {'': NULL})
"""
CHANGES = (
    "ALTER COLUMN i TYPE BIGINT",
    "ALTER COLUMN f TYPE DOUBLE",
    "ALTER COLUMN d TYPE DECIMAL(38, 2)",
    "RENAME COLUMN a TO c",
    "RENAME COLUMN b TO a",
    "RENAME COLUMN c TO b",
    "RENAME COLUMN s.y TO z",
    "ADD COLUMN s.y BIGINT",
    "DROP COLUMN s.z",
    "RENAME COLUMN l.element.x TO y",
    "DROP COLUMN f",
    "ADD COLUMN f VARCHAR",
)
CONDITIONS = [
    *(f"i {op} {n}" for op in ("=", "<", ">") for n in (-1, 1, 3_000_000_000)),
    *(f"d {op} {n}" for op in ("=", "<", ">") for n in ("-0.01", "1.50", "99.995")),
    *(f"s.x {op} {n}" for op in ("=", "<", ">") for n in (1, 5)),
    *(f"{name} IS {word}" for name in "fabs" for word in ("NULL", "NOT NULL")),
    *(f"{name} = '{text}'" for name in "abf" for text in ("a", "b", "text", "")),
]


@pytest.mark.skipif(duckdb.__version__.startswith("1.4"), reason="1.4 changes no schemas")
@pytest.mark.parametrize(("version", "clauses"), [(2, ""), (3, "PARTITIONED BY (b, bucket(2, i))")])
def test_every_change_of_the_schema_is_dumped_as_duckdb_reads_it(
    connect, namespace, version, clauses
):
    engine, table = connect(), f"m.{namespace}.t"
    engine.sql(f"CREATE TABLE {table} ({COLUMNS}) {clauses} WITH ('format-version' = '{version}')")
    engine.sql(f"INSERT INTO {table} VALUES {ROWS}")
    engine.sql(f"INSERT INTO {table} SELECT id + 100, * EXCLUDE (id) FROM {table}")
    assert_dumped(engine, table)
    for change in CHANGES:
        engine.sql(f"ALTER TABLE {table} {change}")
        if "x TO" in change or "b TO" in change:
            assert_dumped(engine, table)
    engine.sql(f"INSERT INTO {table} (id, i, f, a, b) VALUES (9, 3000000000, 'text', 'A', 'B')")
    engine.sql(f"UPDATE {table} SET f = 'updated' WHERE id = 100")
    engine.sql(f"DELETE FROM {table} WHERE id = 101")
    assert len(assert_dumped(engine, table)) == 8
    assert_no_row_is_pruned(engine, table, CONDITIONS)


@pytest.mark.skipif(duckdb.__version__.startswith("1.4"), reason="1.4 changes no schemas")
@pytest.mark.parametrize("version", [2, 3])
def test_a_date_becomes_a_timestamp_only_where_the_specification_has_it(
    connect, namespace, version
):
    engine, table = connect(), f"m.{namespace}.t"
    engine.sql(f"CREATE TABLE {table} (id BIGINT, d DATE) WITH ('format-version' = '{version}')")
    engine.sql(f"INSERT INTO {table} VALUES (1, DATE '1969-12-31'), (2, NULL)")
    change = f"ALTER TABLE {table} ALTER COLUMN d TYPE TIMESTAMP"
    if version == 3:
        engine.sql(change)
    else:
        with pytest.raises(duckdb.Error, match="BadRequest_400"):
            engine.sql(change)
    fresh = connect()
    assert len(assert_dumped(fresh, table)) == 2
    type_ = fresh.sql(f"SELECT typeof(d) FROM {table} LIMIT 1").fetchone()[0]
    assert type_ == ("TIMESTAMP" if version == 3 else "DATE")
