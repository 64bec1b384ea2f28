import pyarrow as pa
import pyarrow.parquet as pq
import pytest


@pytest.fixture
def table(spark, namespace) -> str:
    name = f"moraine.{namespace}.t"
    spark.sql(
        f"CREATE TABLE {name} (id BIGINT, kind STRING, at TIMESTAMP) USING iceberg"
        " PARTITIONED BY (kind, days(at))"
    )
    spark.sql(
        f"INSERT INTO {name} VALUES (1, 'a', TIMESTAMP '2024-03-17 23:51:46'),"
        " (2, 'b', TIMESTAMP '2024-03-18 00:00:00'), (3, NULL, NULL)"
    )
    return name


def ids(spark, query: str) -> list[int]:
    return sorted(row[0] for row in spark.sql(query).collect())


def test_rows_are_inserted_and_read(spark, table):
    assert ids(spark, f"SELECT id FROM {table}") == [1, 2, 3]
    assert ids(spark, f"SELECT id FROM {table} WHERE at >= TIMESTAMP '2024-03-18'") == [2]
    assert ids(spark, f"SELECT id FROM {table} WHERE kind IS NULL") == [3]


def test_rows_are_merged_updated_and_deleted(spark, table):
    spark.sql(
        f"MERGE INTO {table} t USING (SELECT 2 AS id UNION ALL SELECT 9) s ON t.id = s.id"
        " WHEN MATCHED THEN UPDATE SET kind = 'merged'"
        " WHEN NOT MATCHED THEN INSERT (id, kind, at) VALUES (s.id, 'new', NULL)"
    )
    assert ids(spark, f"SELECT id FROM {table} WHERE kind IN ('merged', 'new')") == [2, 9]
    spark.sql(f"UPDATE {table} SET kind = 'z' WHERE id = 1")
    spark.sql(f"DELETE FROM {table} WHERE id = 3")
    assert ids(spark, f"SELECT id FROM {table}") == [1, 2, 9]


def test_position_deletes_are_written_and_known_to_v1(spark, namespace, v1, dump):
    name = f"moraine.{namespace}.m"
    spark.sql(
        f"CREATE TABLE {name} (id BIGINT) USING iceberg"
        " TBLPROPERTIES ('write.delete.mode' = 'merge-on-read', 'format-version' = '2')"
    )
    spark.sql(f"INSERT INTO {name} SELECT /*+ COALESCE(1) */ id FROM range(10)")
    spark.sql(f"DELETE FROM {name} WHERE id % 2 = 0")
    assert ids(spark, f"SELECT id FROM {name}") == [1, 3, 5, 7, 9]
    told = v1(f"/v1/tables/{namespace}.m")
    deletes = [file for data in told["data_files"] for file in data["delete_files"]]
    assert [file["record_count"] for file in deletes] == [5]
    assert dump(f"{namespace}.m") == ["1", "3", "5", "7", "9"]


def test_deletion_vectors_of_version_3_are_written_and_dumped(spark, namespace, dump):
    name = f"moraine.{namespace}.m"
    spark.sql(
        f"CREATE TABLE {name} (id BIGINT) USING iceberg"
        " TBLPROPERTIES ('write.delete.mode' = 'merge-on-read', 'format-version' = '3')"
    )
    spark.sql(f"INSERT INTO {name} SELECT /*+ COALESCE(1) */ id FROM range(10)")
    spark.sql(f"DELETE FROM {name} WHERE id % 2 = 0")
    assert ids(spark, f"SELECT id FROM {name}") == [1, 3, 5, 7, 9]
    assert ids(spark, f"SELECT _row_id FROM {name}") == [1, 3, 5, 7, 9]
    assert dump(f"{namespace}.m") == ["1", "3", "5", "7", "9"]


def test_the_past_is_read_by_id_time_and_ref(spark, table):
    spark.sql(f"INSERT INTO {table} VALUES (4, 'd', NULL)")
    log = spark.sql(f"SELECT snapshot_id, committed_at FROM {table}.snapshots ORDER BY 2")
    first, second = log.collect()
    assert ids(spark, f"SELECT id FROM {table} VERSION AS OF {first.snapshot_id}") == [1, 2, 3]
    assert ids(spark, f"SELECT id FROM {table} TIMESTAMP AS OF '{first.committed_at}'") == [1, 2, 3]
    last = f"SELECT id FROM {table} TIMESTAMP AS OF '{second.committed_at}'"
    assert ids(spark, last) == [1, 2, 3, 4]
    spark.sql(f"ALTER TABLE {table} CREATE TAG old AS OF VERSION {first.snapshot_id}")
    spark.sql(f"ALTER TABLE {table} CREATE BRANCH work")
    spark.sql(f"INSERT INTO {table}.branch_work VALUES (5, 'e', NULL)")
    assert ids(spark, f"SELECT id FROM {table} VERSION AS OF 'old'") == [1, 2, 3]
    assert ids(spark, f"SELECT id FROM {table} VERSION AS OF 'work'") == [1, 2, 3, 4, 5]
    assert ids(spark, f"SELECT id FROM {table}") == [1, 2, 3, 4]


def test_the_schema_and_the_partitions_change(spark, table):
    spark.sql(f"ALTER TABLE {table} ADD COLUMN extra DOUBLE")
    spark.sql(f"ALTER TABLE {table} RENAME COLUMN kind TO sort")
    spark.sql(f"ALTER TABLE {table} ADD PARTITION FIELD bucket(4, id)")
    spark.sql(f"INSERT INTO {table} VALUES (7, 'x', NULL, 0.5)")
    found = spark.sql(f"SELECT id, sort, extra FROM {table} WHERE sort = 'x'").collect()
    assert [tuple(row) for row in found] == [(7, "x", 0.5)]


def test_a_table_is_created_and_replaced_from_a_query(spark, namespace, table):
    copy = f"moraine.{namespace}.copy"
    spark.sql(f"CREATE TABLE {copy} USING iceberg AS SELECT id FROM {table}")
    assert ids(spark, f"SELECT id FROM {copy}") == [1, 2, 3]
    spark.sql(f"CREATE OR REPLACE TABLE {copy} USING iceberg AS SELECT id + 10 AS id FROM {table}")
    assert ids(spark, f"SELECT id FROM {copy}") == [11, 12, 13]
    spark.sql(f"ALTER TABLE {copy} RENAME TO {namespace}.moved")
    spark.sql(f"DROP TABLE moraine.{namespace}.moved PURGE")
    listed = spark.sql(f"SHOW TABLES IN moraine.{namespace}").collect()
    assert [row.tableName for row in listed] == ["t"]


def test_views_are_made_read_and_dropped(spark, namespace, table):
    view = f"moraine.{namespace}.v"
    spark.sql(f"CREATE VIEW {view} AS SELECT id FROM {table} WHERE id > 1")
    assert ids(spark, f"SELECT id FROM {view}") == [2, 3]
    spark.sql(f"CREATE OR REPLACE VIEW {view} AS SELECT id FROM {table} WHERE id > 2")
    assert ids(spark, f"SELECT id FROM {view}") == [3]
    spark.sql(f"DROP VIEW {view}")
    assert spark.sql(f"SHOW VIEWS IN moraine.{namespace}").collect() == []


def test_files_are_compacted_and_snapshots_expired(spark, namespace, table):
    for number in range(10, 16):
        spark.sql(f"INSERT INTO {table} VALUES ({number}, 'a', TIMESTAMP '2024-03-17 00:00:00')")
    call = f"CALL moraine.system.rewrite_data_files(table => '{namespace}.t')"
    assert spark.sql(call).collect()[0].rewritten_data_files_count > 1
    spark.sql(
        f"CALL moraine.system.expire_snapshots(table => '{namespace}.t',"
        " older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 1)"
    )
    assert ids(spark, f"SELECT id FROM {table}") == [1, 2, 3, *range(10, 16)]
    assert spark.sql(f"SELECT * FROM {table}.snapshots").count() == 1


def test_a_table_of_v1_is_read_and_changed(spark, namespace, v1, folder):
    path = folder / "one.parquet"
    pq.write_table(pa.table({"id": [1, 2, 3], "name": ["a", None, "ż"]}), path)
    v1("/v1/tables", {"namespace": namespace, "name": "v1t", "infer_from": f"file://{path}"})
    v1(f"/v1/tables/{namespace}.v1t/files", {"files": [{"path": f"file://{path}"}]})
    name = f"moraine.{namespace}.v1t"
    found = spark.sql(f"SELECT id, name FROM {name} ORDER BY id").collect()
    assert [tuple(row) for row in found] == [(1, "a"), (2, None), (3, "ż")]
    spark.sql(f"DELETE FROM {name} WHERE id = 2")
    assert v1(f"/v1/tables/{namespace}.v1t")["totals"]["records"] == 2
