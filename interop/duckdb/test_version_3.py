"""Tables of version 3 to which both write."""

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.skipif(
    duckdb.__version__.startswith("1.4"), reason="DuckDB 1.4 writes no tables of version 3"
)


def test_files_that_v1_adds_and_rewrites_are_read(connect, namespace, folder, v1, dump):
    table = f"m.{namespace}.t"
    engine = connect()
    engine.sql(f"CREATE TABLE {table} (id BIGINT, n BIGINT) WITH ('format-version' = '3')")
    engine.sql(f"INSERT INTO {table} SELECT range, range FROM range(10)")
    engine.sql(f"DELETE FROM {table} WHERE id % 3 = 0")
    path = folder / "added.parquet"
    ids = pa.array(range(10, 13), pa.int64())
    pq.write_table(pa.table({"id": ids, "n": ids}), path)
    v1(f"/v1/tables/{namespace}.t/files", {"files": [{"path": str(path)}]})
    ids = [1, 2, 4, 5, 7, 8, 10, 11, 12]
    rows = f"SELECT id, n FROM {table} ORDER BY id"
    assert connect().sql(rows).fetchall() == [(id, id) for id in ids]
    changes = [{"op": "type", "name": "n", "type": "double"}]
    v1(f"/v1/tables/{namespace}.t/schemas", {"changes": changes})
    engine = connect()
    assert engine.sql(rows).fetchall() == [(id, float(id)) for id in ids]
    engine.sql(f"INSERT INTO {table} VALUES (20, 20)")
    engine.sql(f"DELETE FROM {table} WHERE id = 5")
    wanted = [(id, float(id)) for id in [*ids, 20] if id != 5]
    assert dump(f"{namespace}.t") == wanted
    assert connect().sql(rows).fetchall() == wanted
    snapshots = v1(f"/iceberg/v1/namespaces/{namespace}/tables/t")["metadata"]["snapshots"]
    taken = [(each["first-row-id"], each["added-rows"]) for each in snapshots]
    assert all(first + rows <= later for (first, rows), (later, _) in zip(taken, taken[1:]))
