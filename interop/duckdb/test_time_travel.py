def test_each_snapshot_is_found_by_its_own_time(engine, connect, namespace):
    table = f"m.{namespace}.t"
    engine.sql(f"CREATE TABLE {table} AS SELECT 1 AS id")
    for number in (2, 3):
        engine.sql(f"INSERT INTO {table} VALUES ({number})")
    reader = connect()
    snapshots = reader.sql(
        f"SELECT snapshot_id, timestamp_ms FROM iceberg_snapshots({table}) ORDER BY timestamp_ms"
    ).fetchall()
    assert len(snapshots) == 3
    for i, (snapshot_id, time) in enumerate(snapshots):
        for moment in (f"VERSION => {snapshot_id}", f"TIMESTAMP => TIMESTAMP '{time}'"):
            found = reader.sql(f"SELECT id FROM {table} AT ({moment}) ORDER BY id").fetchall()
            assert [row[0] for row in found] == list(range(1, i + 2))
