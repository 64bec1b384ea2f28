import time

import pyarrow as pa
import pytest
from pyiceberg.table.refs import SnapshotRefType


def numbers(*values: int) -> pa.Table:
    return pa.table({"id": pa.array(values, pa.int64())})


def ids(scan) -> list[int]:
    return sorted(scan.to_arrow()["id"].to_pylist())


@pytest.fixture
def table(catalog, namespace):
    """Three snapshots, each with one number more, a moment apart."""
    made = catalog.create_table((namespace, "t"), numbers().schema)
    for value in (1, 2, 3):
        made.append(numbers(value))
        time.sleep(0.005)
    return made


def test_each_snapshot_is_read_by_its_id(catalog, namespace, table):
    loaded = catalog.load_table((namespace, "t"))
    log = [entry.snapshot_id for entry in loaded.history()]
    assert [ids(loaded.scan(snapshot_id=id)) for id in log] == [[1], [1, 2], [1, 2, 3]]


def test_a_moment_leads_to_the_snapshot_of_then(catalog, namespace, table):
    loaded = catalog.load_table((namespace, "t"))
    for entry in loaded.history():
        found = loaded.snapshot_as_of_timestamp(entry.timestamp_ms)
        assert found.snapshot_id == entry.snapshot_id
    assert loaded.snapshot_as_of_timestamp(loaded.history()[0].timestamp_ms - 1) is None


def test_sequence_numbers_and_times_go_up_only(catalog, namespace, table):
    snapshots = catalog.load_table((namespace, "t")).snapshots()
    assert [snapshot.sequence_number for snapshot in snapshots] == [1, 2, 3]
    times = [snapshot.timestamp_ms for snapshot in snapshots]
    assert times == sorted(set(times))


def test_a_tag_stays_where_it_is(catalog, namespace, table):
    second = table.history()[1].snapshot_id
    table.manage_snapshots().create_tag(second, "v2", max_ref_age_ms=86_400_000).commit()
    table.append(numbers(4))
    loaded = catalog.load_table((namespace, "t"))
    assert loaded.refs()["v2"].snapshot_ref_type == SnapshotRefType.TAG
    assert ids(loaded.scan().use_ref("v2")) == [1, 2]
    loaded.manage_snapshots().remove_tag("v2").commit()
    assert "v2" not in catalog.load_table((namespace, "t")).refs()


def test_a_branch_grows_beside_main(catalog, namespace, table):
    head = table.current_snapshot().snapshot_id
    table.manage_snapshots().create_branch(head, "work").commit()
    table.append(numbers(10), branch="work")
    table.append(numbers(4))
    table.delete("id = 1", branch="work")
    loaded = catalog.load_table((namespace, "t"))
    assert ids(loaded.scan()) == [1, 2, 3, 4]
    assert ids(loaded.scan().use_ref("work")) == [2, 3, 10]
    loaded.manage_snapshots().remove_branch("work").commit()
    assert set(catalog.load_table((namespace, "t")).refs()) == {"main"}


def test_main_is_set_back_and_goes_on_from_there(catalog, namespace, table):
    first = table.history()[0].snapshot_id
    table.manage_snapshots().rollback_to_snapshot(first).commit()
    loaded = catalog.load_table((namespace, "t"))
    assert ids(loaded.scan()) == [1]
    loaded.append(numbers(9))
    again = catalog.load_table((namespace, "t"))
    assert ids(again.scan()) == [1, 9]
    assert again.current_snapshot().parent_snapshot_id == first
    assert [entry.snapshot_id for entry in again.history()][-2] == first


def test_snapshots_expire_but_not_the_tagged_ones(catalog, namespace, table):
    first, second, third = (entry.snapshot_id for entry in table.history())
    table.manage_snapshots().create_tag(first, "keep").commit()
    table.maintenance.expire_snapshots().by_id(second).commit()
    loaded = catalog.load_table((namespace, "t"))
    assert {snapshot.snapshot_id for snapshot in loaded.snapshots()} == {first, third}
    assert ids(loaded.scan()) == [1, 2, 3]
    with pytest.raises(ValueError):
        loaded.maintenance.expire_snapshots().by_id(first).commit()


def test_only_refs_are_loaded_when_asked(namespace, table):
    from moraine import connect

    brief = connect(snapshot_loading_mode="refs").load_table((namespace, "t"))
    assert brief.current_snapshot().snapshot_id == table.current_snapshot().snapshot_id
    assert ids(brief.scan()) == [1, 2, 3]
    brief.append(numbers(4))
    assert len(connect().load_table((namespace, "t")).snapshots()) == 4


def test_the_log_has_the_times_of_the_snapshots(table):
    times = {snapshot.snapshot_id: snapshot.timestamp_ms for snapshot in table.snapshots()}
    assert [times[entry.snapshot_id] for entry in table.history()] == [
        entry.timestamp_ms for entry in table.history()
    ]
    for snapshot_id, time_ms in times.items():
        assert table.snapshot_as_of_timestamp(time_ms).snapshot_id == snapshot_id
