"""Rows of version 3 keep their ids, as Spark tells them, whatever Moraine does to their files."""

import json
import os
import urllib.request
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

EXPORTS = Path(os.environ["MORAINE_DATA"]).parent / "exports"
LINEAGE = "id, _row_id, _last_updated_sequence_number"


def lineage(table) -> dict[int, tuple[int, int]]:
    """Of each row its id, and when it was changed last; no two rows have one id."""
    rows = table.spark.sql(f"SELECT {LINEAGE} FROM {table.sql}").collect()
    found = {row.id: (row._row_id, row._last_updated_sequence_number) for row in rows}
    ids = [row_id for row_id, _ in found.values()]
    assert None not in ids
    assert len(rows) == len(found) == len(set(ids))
    return found


@pytest.fixture
def archive(v1, namespace):
    """Archives and removes the rows of `t` for which a condition is true."""
    folder = EXPORTS / namespace

    def run(condition: str) -> int:
        folder.mkdir(parents=True, exist_ok=True)
        task = {"source": "moraine", "table": f"{namespace}.t", "where": condition}
        (folder / "task.json").write_text(json.dumps(task))
        address = f"{os.environ['MORAINE_URL']}/exports/{namespace}"
        with urllib.request.urlopen(urllib.request.Request(address, b"{}", method="POST")) as done:
            assert json.load(done) == {"status": "Ok"}
        return v1(f"/v1/exports/{namespace}/runs")["runs"][0]["result"]["deleted"]

    return run


@pytest.fixture
def add(v1, folder, namespace):
    """Adds a file with these ids through `/v1`."""

    def added(*ids: int) -> None:
        path = folder / f"{ids[0]}.parquet"
        pq.write_table(pa.table({"id": pa.array(ids, pa.int64())}), path)
        v1(f"/v1/tables/{namespace}.t/files", {"files": [{"path": str(path)}]})

    return added


def test_rows_keep_their_ids(make, add, archive, v1):
    table = make("id BIGINT, v INT", version=3)
    table.do("INSERT INTO $t SELECT /*+ COALESCE(1) */ id, id FROM range(10)")
    table.do("DELETE FROM $t WHERE id % 5 = 1")
    table.do("UPDATE $t SET v = 100 WHERE id IN (2, 3)")
    add(*range(10, 20))
    before = lineage(table)
    assert sorted(before) == [0, 2, 3, 4, 5, 7, 8, 9, *range(10, 20)]
    # Rewritten files, a file of which all rows are meant, and a row that Spark has moved already.
    assert archive("id IN (0, 2, 12)") == 3
    assert archive("id = 3 OR id >= 18") == 3
    kept = {id: own for id, own in before.items() if id not in (0, 2, 3, 12, 18, 19)}
    assert lineage(table) == kept
    v1(
        f"/v1/tables/{table.identifier}/schemas",
        {
            "changes": [
                {"op": "type", "name": "id", "type": "double"},
            ]
        },
    )
    table.spark.sql(f"REFRESH TABLE {table.sql}")
    assert lineage(table) == kept
    table.do("UPDATE $t SET v = 7 WHERE id = 15")
    table.do("DELETE FROM $t WHERE id = 16")
    table.do("INSERT INTO $t VALUES (50, 50)")
    after = lineage(table)
    assert after[15][0] == kept[15][0] and after[15][1] > kept[15][1]
    assert after[50][0] > max(row_id for row_id, _ in before.values())
    untouched = set(kept) - {15, 16}
    assert {id: after[id] for id in untouched} == {id: kept[id] for id in untouched}
    table.assert_dumped()


def test_rows_from_before_version_3_get_ids_by_the_next_commit(make, add, archive):
    table = make("id BIGINT, v INT", version=2)
    table.do("INSERT INTO $t SELECT /*+ COALESCE(1) */ id, id FROM range(5)")
    table.do("DELETE FROM $t WHERE id = 4")
    table.do("ALTER TABLE $t SET TBLPROPERTIES ('format-version' = '3')")
    add(5, 6, 7)
    before = lineage(table)
    assert sorted(before) == [0, 1, 2, 3, 5, 6, 7]
    assert archive("id = 1") == 1
    table.do("INSERT INTO $t VALUES (8, 8)")
    after = lineage(table)
    assert {id: after[id] for id in before if id != 1} == {
        id: own for id, own in before.items() if id != 1
    }


def test_whole_files_go_with_their_deletion_vectors(make, add, archive):
    table = make("id BIGINT, v INT", version=3)
    table.do("INSERT INTO $t SELECT /*+ COALESCE(1) */ id, id FROM range(10)")
    add(10, 11)
    table.do("DELETE FROM $t WHERE id = 3")
    before = lineage(table)
    assert archive("id < 10") == 9
    assert lineage(table) == {id: before[id] for id in (10, 11)}
    files = table.spark.sql(f"SELECT content, file_path FROM {table.sql}.all_files").collect()
    live = table.spark.sql(f"SELECT content FROM {table.sql}.files").collect()
    assert [row.content for row in live] == [0] and len(files) > 1
