"""Spark's own file access without keys of the store: the catalog lends them, or signs requests."""

import os

import pytest
from lent import PLAIN, LentTable, new_table, start_asking

VENDED = "vended-credentials"
SIGNED = "remote-signing"
SCHEME = os.environ["MORAINE_SCHEME"]
# Nothing is signed for clients of Google Cloud Storage.
WAYS = {"s3": [VENDED, SIGNED], "gs": [VENDED]}[SCHEME]
IO = {
    "s3": "org.apache.iceberg.aws.s3.S3FileIO",
    "gs": "org.apache.iceberg.gcp.gcs.GCSFileIO",
}[SCHEME]
SECRETS = {
    "s3": {"s3.access-key-id", "s3.secret-access-key", "s3.session-token"},
    "gs": {"gcs.oauth2.token"},
}[SCHEME]
PART_BYTES = 5 * 1024 * 1024
PARTS = {
    "s3.multipart.part-size-bytes": str(PART_BYTES),
    "gcs.channel.write.chunk-size-bytes": str(PART_BYTES),
}
REFUSED = "(?i)denied|forbidden|signature-refused|403"


@pytest.fixture(scope="session")
def spark():
    yield from start_asking(IO, WAYS, **PARTS)


@pytest.fixture(params=WAYS)
def way(request) -> str:
    return request.param


@pytest.fixture
def table(spark, way: str) -> LentTable:
    return new_table(spark, way)


def test_it_has_what_it_asks_for_and_nothing_else(table: LentTable, way: str) -> None:
    io = table.java().io()
    assert io.getClass().getName() == IO
    has = set(io.properties())
    assert has & SECRETS == (SECRETS if way == VENDED else set())
    assert ("s3.remote-signing-enabled" in has) == (way == SIGNED)


def test_it_writes_reads_and_deletes(table: LentTable) -> None:
    assert table.java().location().startswith(f"{SCHEME}://")
    table.do("INSERT INTO $t VALUES (1, 'Ada'), (2, NULL), (3, 'Bo')")
    table.do("INSERT INTO $t SELECT id, 'n' FROM range(4, 20)")
    table.do("DELETE FROM $t WHERE id % 2 = 0")
    table.do("UPDATE $t SET name = 'new' WHERE id = 3")
    assert table.ids() == [1, *range(3, 20, 2)]
    assert table.ids("name = 'new'") == [3]
    assert table.do("SELECT count(*) FROM $t.snapshots") == [(4,)]
    table.do("INSERT OVERWRITE $t VALUES (7, 'only')")
    assert table.ids() == [7]


def test_a_file_of_several_parts(table: LentTable) -> None:
    table.do(
        "ALTER TABLE $t SET TBLPROPERTIES ('write.parquet.compression-codec' = 'uncompressed')"
    )
    text = "concat_ws('', transform(sequence(1, 100), i -> sha2(concat(id, ' ', i), 256)))"
    table.do(f"INSERT INTO $t SELECT /*+ COALESCE(1) */ id, {text} FROM range(2500)")
    [(bytes_,)] = table.do("SELECT file_size_in_bytes FROM $t.files")
    assert bytes_ > 2 * PART_BYTES
    assert table.do("SELECT count(DISTINCT name), sum(length(name)) FROM $t") == [
        (2500, 2500 * 6400)
    ]


def test_files_are_rewritten(table: LentTable) -> None:
    for id_ in range(4):
        table.do(f"INSERT INTO $t VALUES ({id_}, 'n')")
    given = f"table => '{table.name}', options => map('rewrite-all', 'true')"
    [(rewritten, *_)] = table.do(f"CALL {table.catalog}.system.rewrite_data_files({given})")
    assert rewritten == 4
    assert table.ids() == [0, 1, 2, 3]
    assert len(table.paths()) == 1


def test_files_of_old_snapshots_are_deleted(table: LentTable, way: str) -> None:
    table.do("INSERT INTO $t VALUES (1, 'old')")
    [old] = table.paths()
    table.do("INSERT OVERWRITE $t VALUES (2, 'new')")
    moment = "older_than => TIMESTAMP '2100-01-01 00:00:00'"
    table.do(f"CALL {table.catalog}.system.expire_snapshots(table => '{table.name}', {moment})")
    assert table.do("SELECT count(*) FROM $t.snapshots") == [(1,)]
    if way == SIGNED:
        # A deletion of several objects at once is not signed; Spark goes on without it.
        assert table.read(old) == ord("P")
    else:
        with pytest.raises(Exception, match="(?i)not found|does not exist|404"):
            table.read(old)
    assert table.ids() == [2]


def test_it_does_for_no_other_table(spark, table: LentTable, way: str) -> None:
    other = new_table(spark, way)
    other.do("INSERT INTO $t VALUES (1, 'secret')")
    [path] = other.paths()
    assert other.read(path) == ord("P")
    with pytest.raises(Exception, match=REFUSED):
        table.read(path)
    with pytest.raises(Exception, match=REFUSED):
        table.write(f"{other.java().location()}/data/mine.parquet")
    assert other.ids() == [1]


def test_who_does_not_ask_gets_nothing(spark, table: LentTable) -> None:
    table.do("INSERT INTO $t VALUES (1, 'n')")
    plain = LentTable(spark, PLAIN, table.name)
    with pytest.raises(Exception, match="(?i)unable to load credentials|anonymous|401"):
        plain.ids()
