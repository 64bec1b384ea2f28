import duckdb
import pytest


def ids(engine, table: str) -> list[int]:
    return [row[0] for row in engine.sql(f"SELECT id FROM {table} ORDER BY id").fetchall()]


def test_a_table_is_created_from_a_query(engine, connect, namespace, dump):
    table = f"m.{namespace}.t"
    engine.sql(f"CREATE TABLE {table} AS SELECT range AS id, 'x' || range AS name FROM range(5)")
    assert ids(connect(), table) == [0, 1, 2, 3, 4]
    assert dump(f"{namespace}.t") == [(i, f"x{i}") for i in range(5)]


def test_a_table_is_created_and_filled_in_one_transaction(engine, connect, namespace, dump):
    table = f"m.{namespace}.t"
    engine.sql("BEGIN")
    engine.sql(f"CREATE TABLE {table} (id BIGINT, name VARCHAR)")
    engine.sql(f"INSERT INTO {table} VALUES (1, 'a'), (2, NULL)")
    engine.sql("COMMIT")
    assert ids(connect(), table) == [1, 2]
    assert dump(f"{namespace}.t") == [(1, "a"), (2, None)]


def test_a_transaction_that_is_taken_back_leaves_no_table(engine, connect, namespace):
    engine.sql("BEGIN")
    engine.sql(f"CREATE TABLE m.{namespace}.t (id BIGINT)")
    engine.sql(f"INSERT INTO m.{namespace}.t VALUES (1)")
    engine.sql("ROLLBACK")
    with pytest.raises(duckdb.CatalogException):
        connect().sql(f"SELECT * FROM m.{namespace}.t")


def test_rows_of_registered_files_are_deleted_and_updated(connect, namespace, v1, folder, dump):
    path = folder / "registered.parquet"
    duckdb.sql(f"COPY (SELECT range AS id, 'r' || range AS name FROM range(10)) TO '{path}'")
    v1("/v1/tables", {"namespace": namespace, "name": "t", "infer_from": f"file://{path}"})
    v1(f"/v1/tables/{namespace}.t/files", {"files": [{"path": f"file://{path}"}]})
    engine, table = connect(), f"m.{namespace}.t"
    engine.sql(f"DELETE FROM {table} WHERE id < 3")
    engine.sql(f"UPDATE {table} SET name = 'new' WHERE id = 5")
    wanted = [(i, "new" if i == 5 else f"r{i}") for i in range(3, 10)]
    assert connect().sql(f"SELECT * FROM {table} ORDER BY id").fetchall() == wanted
    assert dump(f"{namespace}.t") == wanted
    assert path.exists()


def test_tables_are_listed_and_dropped(engine, namespace):
    engine.sql(f"CREATE TABLE m.{namespace}.t (id BIGINT)")
    listed = f"SELECT table_name FROM duckdb_tables() WHERE schema_name = '{namespace}'"
    assert engine.sql(listed).fetchall() == [("t",)]
    engine.sql(f"DROP TABLE m.{namespace}.t")
    assert engine.sql(listed).fetchall() == []
