"""Engines without keys of the store: the catalog gives them what their tables need."""

import os
import site
import uuid
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.table import Table

URL = os.environ["MORAINE_URL"]
PEOPLE = pa.table({"id": pa.array([1, 2, 3], pa.int64()), "name": pa.array(["Ada", "Bo", None])})
ARROW = "pyiceberg.io.pyarrow.PyArrowFileIO"
FSSPEC = "pyiceberg.io.fsspec.FsspecFileIO"
VENDED = "vended-credentials"
SIGNED = "remote-signing"
SCHEME = os.environ["MORAINE_SCHEME"]
# Nothing is signed for clients of Google Cloud Storage.
WAYS = [(ARROW, VENDED), (FSSPEC, VENDED), *([(FSSPEC, SIGNED)] if SCHEME == "s3" else [])]
SECRETS = {
    "s3": ["s3.access-key-id", "s3.secret-access-key", "s3.session-token"],
    "gs": ["gcs.oauth2.token"],
}[SCHEME]


def connect(io: str, delegation: str) -> RestCatalog:
    properties = {"py-io-impl": io, "header.X-Iceberg-Access-Delegation": delegation}
    return RestCatalog("moraine", uri=f"{URL}/iceberg", **properties)


def new_table(catalog: RestCatalog) -> Table:
    namespace = f"ns_{uuid.uuid4().hex[:12]}"
    catalog.create_namespace(namespace)
    return catalog.create_table((namespace, "people"), schema=PEOPLE.schema)


@pytest.mark.parametrize(("io", "delegation"), WAYS)
def test_pyiceberg_writes_and_reads(io: str, delegation: str) -> None:
    catalog = connect(io, delegation)
    made = new_table(catalog)
    assert made.location().startswith(f"{SCHEME}://")
    made.append(PEOPLE)
    made.append(PEOPLE)
    table = connect(io, delegation).load_table(made.name())
    assert table.scan().to_arrow().num_rows == 6
    assert table.scan(row_filter="id == 1").to_arrow()["name"].to_pylist() == ["Ada", "Ada"]
    table.delete("id == 1")
    table.overwrite(PEOPLE.slice(0, 1), overwrite_filter="id == 2")
    assert sorted(table.scan().to_arrow()["id"].to_pylist()) == [1, 3, 3]
    assert table.inspect.snapshots().num_rows >= 4


@pytest.mark.parametrize(("io", "delegation"), WAYS)
def test_they_do_for_no_other_table(io: str, delegation: str) -> None:
    catalog = connect(io, delegation)
    mine, other = new_table(catalog), new_table(catalog)
    other.append(PEOPLE)
    [task] = other.scan().plan_files()
    path = task.file.file_path
    assert len(catalog.load_table(other.name()).io.new_input(path).open().read()) > 100
    with pytest.raises(Exception, match="(?i)denied|forbidden|sign|403"):
        mine.io.new_input(path).open().read()
    with pytest.raises(Exception, match="(?i)denied|forbidden|sign|403"):
        made = mine.io.new_output(f"{other.location()}/data/mine.parquet")
        with made.create(overwrite=True) as written:
            written.write(b"x")


def test_none_are_given_to_who_does_not_ask() -> None:
    made = new_table(connect(ARROW, VENDED))
    table = connect(ARROW, "").load_table(made.name())
    assert not set(SECRETS) & set(table.io.properties)


@pytest.mark.skipif(
    SCHEME == "gs", reason="DuckDB 1.4 knows no other address than storage.googleapis.com"
)
def test_duckdb_writes_and_reads() -> None:
    folder = Path(site.getsitepackages()[0]) / "duckdb_ext" / "extensions"
    engine = duckdb.connect(config={"extension_directory": str(folder)})
    for name in ("httpfs", "avro", "iceberg"):
        engine.sql(f"LOAD {name}")
    engine.sql(
        f"ATTACH '' AS m (TYPE iceberg, ENDPOINT '{URL}/iceberg', AUTHORIZATION_TYPE 'none')"
    )
    namespace = f"ns_{uuid.uuid4().hex[:12]}"
    engine.sql(f"CREATE SCHEMA m.{namespace}")
    table = f"m.{namespace}.people"
    engine.sql(f"CREATE TABLE {table} AS SELECT i AS id, 'n' || i AS name FROM range(10) t(i)")
    engine.sql(f"INSERT INTO {table} VALUES (10, NULL)")
    engine.sql(f"DELETE FROM {table} WHERE id < 5")
    assert engine.sql(f"SELECT count(*), min(id), count(name) FROM {table}").fetchall() == [
        (6, 5, 5)
    ]
    read = connect(ARROW, VENDED).load_table((namespace, "people"))
    assert sorted(read.scan().to_arrow()["id"].to_pylist()) == [5, 6, 7, 8, 9, 10]
