"""A table is one table: what one face writes, the other reads, row by row."""

import base64
import io
import json
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import quote

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moraine import local_path, rows
from pyiceberg.expressions import EqualTo
from pyiceberg.transforms import MonthTransform

KINDS = pa.schema(
    [
        ("id", pa.int64()),
        ("small", pa.int32()),
        ("ratio", pa.float64()),
        ("price", pa.decimal128(12, 3)),
        ("day", pa.date32()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("name", pa.string()),
        ("raw", pa.binary()),
        ("flag", pa.bool_()),
        ("tags", pa.list_(pa.string())),
        ("place", pa.struct([("x", pa.float64()), ("label", pa.string())])),
    ]
)


def kinds(count: int) -> pa.Table:
    """Rows of every type; each third value is missing."""

    def row(n: int) -> dict:
        full = {
            "id": 2**53 + n,
            "small": -n,
            "ratio": n / 7,
            "price": Decimal(n) / 8,
            "day": date(2024, 1 + n % 12, 17),
            "at": datetime(2024, 1 + n % 12, 17, 23, 51, 46, n, tzinfo=UTC),
            "name": f'naïve, "{n}"\n',
            "raw": bytes([n % 256, 0, 255]),
            "flag": n % 2 == 0,
            "tags": [f"t{n}", None],
            "place": {"x": n / 3, "label": None if n % 2 else "here"},
        }
        return {
            key: None if key != "id" and (n + i) % 3 == 0 else value
            for i, (key, value) in enumerate(full.items())
        }

    return pa.Table.from_pylist([row(n) for n in range(count)], KINDS)


@pytest.fixture
def files(folder):
    """Two Parquet files without field ids, with the rows of both."""
    table = kinds(24)
    paths = [folder / "one.parquet", folder / "two.parquet"]
    pq.write_table(table.slice(0, 12), paths[0])
    pq.write_table(table.slice(12), paths[1])
    return [f"file://{path}" for path in paths], table


def test_a_table_of_v1_is_read_with_files_that_have_no_field_ids(catalog, namespace, v1, files):
    paths, table = files
    v1.create(namespace, "t", infer_from=paths[0])
    assert catalog.list_tables(namespace) == [(namespace, "t")]
    v1.add_files(f"{namespace}.t", *paths)
    read = catalog.load_table((namespace, "t")).scan().to_arrow()
    assert rows(read, table.column_names) == rows(table)


def test_columns_renamed_and_added_by_v1_are_read(catalog, namespace, v1, files):
    paths, table = files
    v1.create(namespace, "t", infer_from=paths[0])
    v1.add_files(f"{namespace}.t", *paths)
    changes = [
        {"op": "rename", "name": "name", "to": "title"},
        {"op": "drop", "name": "raw"},
        {"op": "widen", "name": "small", "type": "long"},
        {"op": "add", "column": {"name": "extra", "type": "string"}},
    ]
    v1.post(f"/v1/tables/{namespace}.t/schemas", {"changes": changes})
    read = catalog.load_table((namespace, "t")).scan().to_arrow()
    assert "raw" not in read.column_names
    assert read["extra"].null_count == len(table)
    assert rows(read, ["id", "title", "small"]) == rows(table, ["id", "name", "small"])
    found = catalog.load_table((namespace, "t")).scan("title is null and small < -3").to_arrow()
    expected = [r for r in table.to_pylist() if r["name"] is None and (r["small"] or 0) < -3]
    assert sorted(found["id"].to_pylist()) == sorted(r["id"] for r in expected)


def test_partitions_made_by_v1_prune(catalog, namespace, v1, folder):
    table = kinds(24)
    partitioning = [{"column": "day", "transform": "month"}]
    seed = folder / "seed.parquet"
    pq.write_table(table, seed)
    v1.create(namespace, "t", infer_from=f"file://{seed}", partitioning=partitioning)
    months = {row["day"].month for row in table.to_pylist() if row["day"] is not None}
    for month in months:
        mask = [row["day"] is not None and row["day"].month == month for row in table.to_pylist()]
        path = folder / f"month-{month}.parquet"
        pq.write_table(table.filter(pa.array(mask)), path)
        v1.add_files(f"{namespace}.t", f"file://{path}")
    loaded = catalog.load_table((namespace, "t"))
    some = min(months)
    scan = loaded.scan(f"day >= '2024-{some:02}-01' and day <= '2024-{some:02}-28'")
    assert len(list(scan.plan_files())) == 1
    expected = [r["id"] for r in table.to_pylist() if r["day"] and r["day"].month == some]
    assert sorted(scan.to_arrow()["id"].to_pylist()) == sorted(expected)


def test_both_faces_write_to_one_table_in_turn(catalog, namespace, v1, files):
    paths, table = files
    v1.create(namespace, "t", infer_from=paths[0])
    v1.add_files(f"{namespace}.t", paths[0])
    catalog.load_table((namespace, "t")).append(table.slice(12))
    v1.add_files(f"{namespace}.t", paths[1])
    both = pa.concat_tables([table, table.slice(12)])
    loaded = catalog.load_table((namespace, "t"))
    assert rows(loaded.scan().to_arrow(), table.column_names) == rows(both)
    assert v1.read(f"{namespace}.t")["totals"]["records"] == len(both)
    loaded.delete("id >= 0")
    assert v1.read(f"{namespace}.t")["totals"]["records"] == 0


def test_v1_tells_the_files_of_a_table_of_pyiceberg(catalog, namespace, v1):
    table = catalog.create_table((namespace, "t"), KINDS)
    table.append(kinds(10))
    table.append(kinds(20).slice(10))
    table.delete("small = -4")
    told = v1.read(f"{namespace}.t")
    read = [
        pq.read_table(local_path(file["path"]), partitioning=None) for file in told["data_files"]
    ]
    expected = catalog.load_table((namespace, "t")).scan().to_arrow()
    assert rows(pa.concat_tables(read), KINDS.names) == rows(expected, KINDS.names)
    assert told["totals"]["records"] == len(expected)
    assert told["snapshot"]["snapshot_id"] == str(table.current_snapshot().snapshot_id)


def test_v1_travels_in_the_time_of_a_table_of_pyiceberg(catalog, namespace, v1):
    table = catalog.create_table((namespace, "t"), KINDS)
    for count in (3, 5):
        table.append(kinds(count))
    first = table.history()[0]
    by_id = v1.read(f"{namespace}.t", f"/{first.snapshot_id}")
    by_time = v1.read(f"{namespace}.t", f"?as_at={first.timestamp_ms}")
    assert by_id["totals"]["records"] == by_time["totals"]["records"] == 3
    log = v1.read(f"{namespace}.t", "/snapshots")["snapshots"]
    assert [entry["snapshot_id"] for entry in log][::-1] == [
        str(entry.snapshot_id) for entry in table.history()
    ]
    table.manage_snapshots().create_tag(first.snapshot_id, "v1-tag").commit()
    assert v1.read(f"{namespace}.t", "/v1-tag")["totals"]["records"] == 3


def test_v1_prunes_a_table_of_pyiceberg(catalog, namespace, v1):
    table = catalog.create_table((namespace, "t"), KINDS)
    with table.update_spec() as update:
        update.add_field("day", MonthTransform(), "day_month")
    table.append(kinds(24))
    condition = "day >= '2024-03-01' and day < '2024-04-01'"
    told = v1.read(f"{namespace}.t", f"?filter={quote(condition)}")
    planned = {task.file.file_path for task in table.scan(condition).plan_files()}
    assert {file["path"] for file in told["data_files"]} == planned
    assert told["planning"]["files"]["skipped"] > 0


def test_a_rollback_of_v1_is_seen(catalog, namespace, v1, people):
    table = catalog.create_table((namespace, "t"), people.schema)
    table.append(people)
    first = table.current_snapshot().snapshot_id
    table.append(people)
    v1.post(f"/v1/tables/{namespace}.t/rollback", {"snapshot_id": str(first)})
    loaded = catalog.load_table((namespace, "t"))
    assert loaded.current_snapshot().snapshot_id == first
    loaded.append(people)
    assert len(catalog.load_table((namespace, "t")).scan().to_arrow()) == 2 * len(people)


def test_a_clone_of_v1_is_a_table_of_its_own(catalog, namespace, v1, people):
    table = catalog.create_table((namespace, "t"), people.schema)
    table.append(people)
    v1.post(f"/v1/tables/{namespace}.t/clone", {"name": "copy", "namespace": namespace})
    copy = catalog.load_table((namespace, "copy"))
    assert copy.metadata.table_uuid != table.metadata.table_uuid
    copy.append(people)
    assert len(catalog.load_table((namespace, "copy")).scan().to_arrow()) == 2 * len(people)
    assert len(catalog.load_table((namespace, "t")).scan().to_arrow()) == len(people)


def test_pyiceberg_takes_files_from_v1_away_for_v1_too(catalog, namespace, v1, files):
    paths, table = files
    v1.create(namespace, "t", infer_from=paths[0])
    v1.add_files(f"{namespace}.t", *paths)
    middle = table["id"][11].as_py()
    catalog.load_table((namespace, "t")).delete(f"id <= {middle}")
    told = v1.read(f"{namespace}.t")
    assert [file["path"] for file in told["data_files"]] == [paths[1]]


def test_an_upload_to_a_table_of_pyiceberg_is_read(catalog, namespace, v1, people):
    catalog.create_table((namespace, "t"), people.schema)
    body = io.BytesIO()
    pq.write_table(people, body)
    v1.upload(f"/v1/tables/{namespace}.t/files", body.getvalue())
    assert rows(catalog.load_table((namespace, "t")).scan().to_arrow()) == rows(people)


FIXED = [
    {"name": "id", "type": "long"},
    {"name": "code", "type": "fixed(4)"},
    {"name": "codes", "type": {"type": "list", "element": "fixed(2)"}},
    {"name": "part", "type": {"type": "struct", "fields": [{"name": "x", "type": "fixed(3)"}]}},
]


def test_fixed_of_uploaded_text_is_read_by_pyiceberg_and_pyarrow(catalog, namespace, v1):
    v1.create(namespace, "t", schema={"columns": FIXED})
    lines = []
    for n in range(3_000):
        code = base64.b64encode(n.to_bytes(4, "big")).decode()
        few = base64.b64encode((n % 3).to_bytes(2, "big")).decode()
        part = None if n % 5 == 0 else {"x": base64.b64encode(n.to_bytes(3, "big")).decode()}
        row = {"id": n, "code": code if n % 7 else None, "codes": [few, None], "part": part}
        lines.append(json.dumps(row) + "\n")
    text = "".join(lines).encode()
    v1.send(f"/v1/tables/{namespace}.t/files", text, "application/x-ndjson")
    expected = [
        {
            "id": n,
            "code": n.to_bytes(4, "big") if n % 7 else None,
            "codes": [(n % 3).to_bytes(2, "big"), None],
            "part": None if n % 5 == 0 else {"x": n.to_bytes(3, "big")},
        }
        for n in range(3_000)
    ]
    table = catalog.load_table((namespace, "t"))
    assert table.scan().to_arrow().sort_by("id").to_pylist() == expected
    found = table.scan(EqualTo("code", (8).to_bytes(4, "big"))).to_arrow()
    assert found["id"].to_pylist() == [8]
    # Rewritten files have it, too, and so have both dumps.
    changes = [{"op": "type", "name": "id", "type": "double"}]
    v1.post(f"/v1/tables/{namespace}.t/schemas", {"changes": changes})
    rewritten = catalog.load_table((namespace, "t")).scan().to_arrow().sort_by("id")
    assert rewritten.drop_columns("id").to_pylist() == [
        {name: row[name] for name in ("code", "codes", "part")} for row in expected
    ]
    parquet = pq.read_table(io.BytesIO(dump(v1, f"{namespace}.t", "format=parquet")))
    arrow = pa.ipc.open_stream(dump(v1, f"{namespace}.t", "format=arrow")).read_all()
    for got in (parquet, arrow):
        assert got.schema.field("code").type == pa.binary(4)
        assert got.sort_by("id").to_pylist() == rewritten.to_pylist()


def dump(v1, table: str, query: str) -> bytes:
    return v1.download(f"/v1/tables/{table}/dump?{query}")


def changed_table(catalog, namespace):
    table = catalog.create_table((namespace, "t"), KINDS)
    table.append(kinds(10))
    table.append(kinds(20).slice(10))
    with table.update_schema() as update:
        update.rename_column("name", "title")
    # A dump has the columns of its snapshot: this one is the first that knows the new name.
    table.delete("small = -4")
    return catalog.load_table((namespace, "t"))


def test_a_parquet_dump_holds_the_rows_of_pyiceberg(catalog, namespace, v1):
    table = changed_table(catalog, namespace)
    got = pq.read_table(io.BytesIO(dump(v1, f"{namespace}.t", "format=parquet")))
    expected = table.scan().to_arrow()
    assert rows(got, expected.column_names) == rows(expected)


def test_a_csv_dump_holds_the_rows_of_pyiceberg(catalog, namespace, v1, folder):
    table = changed_table(catalog, namespace)
    path = folder / f"{uuid.uuid4().hex}.csv"
    path.write_bytes(dump(v1, f"{namespace}.t", "format=csv"))
    columns = ["id", "small", "ratio", "price", "day", "title", "flag"]
    types = ["BIGINT", "INTEGER", "DOUBLE", "DECIMAL(12,3)", "DATE", "VARCHAR", "BOOLEAN"]
    given = ", ".join(f"'{name}': '{kind}'" for name, kind in zip(columns, types))
    got = duckdb.sql(
        f"SELECT {', '.join(columns)} FROM read_csv('{path}', header = true, quote = '\"',"
        f" escape = '\"', types = {{{given}}})"
    ).fetchall()
    expected = rows(table.scan().to_arrow(), columns)
    assert sorted(got, key=repr) == expected
