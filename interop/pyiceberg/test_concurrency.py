"""Several processes write to one table at once: nothing may be lost, nothing told twice."""

import multiprocessing
import traceback

import pyarrow as pa
import pytest
from moraine import connect
from pyiceberg.exceptions import CommitFailedException, ValidationException

WRITERS = 4
COMMITS_EACH = 8
ATTEMPTS_MAX = 200


def append_numbers(identifier: tuple[str, str], writer: int, outcome) -> None:
    """A commit that is refused is made again on the table as it is then."""
    try:
        catalog = connect()
        for number in range(COMMITS_EACH):
            append_one(catalog, identifier, writer * 1000 + number)
        outcome.put(None)
    except Exception:
        outcome.put(traceback.format_exc())


def append_one(catalog, identifier: tuple[str, str], value: int) -> None:
    row = pa.table({"id": pa.array([value], pa.int64())})
    for _ in range(ATTEMPTS_MAX):
        table = catalog.load_table(identifier)
        try:
            table.append(row)
            return
        except CommitFailedException:
            continue
    raise AssertionError(f"{value} was refused {ATTEMPTS_MAX} times")


def run_writers(target, *args) -> list[str]:
    context = multiprocessing.get_context("spawn")
    outcome = context.Queue()
    writers = [
        context.Process(target=target, args=(*args, writer, outcome)) for writer in range(WRITERS)
    ]
    for process in writers:
        process.start()
    said = [outcome.get(timeout=180) for _ in writers]
    for process in writers:
        process.join(timeout=30)
    return [text for text in said if text is not None]


@pytest.fixture
def numbers(catalog, namespace):
    catalog.create_table((namespace, "t"), pa.schema([("id", pa.int64())]))
    return (namespace, "t")


def test_appends_of_several_processes_are_all_there(catalog, numbers):
    assert run_writers(append_numbers, numbers) == []
    table = catalog.load_table(numbers)
    expected = [writer * 1000 + n for writer in range(WRITERS) for n in range(COMMITS_EACH)]
    assert sorted(table.scan().to_arrow()["id"].to_pylist()) == sorted(expected)
    snapshots = table.snapshots()
    assert len(snapshots) == WRITERS * COMMITS_EACH
    sequence = [snapshot.sequence_number for snapshot in snapshots]
    assert sequence == sorted(set(sequence))
    parents = [snapshot.parent_snapshot_id for snapshot in snapshots]
    assert parents == [None, *(snapshot.snapshot_id for snapshot in snapshots[:-1])]


def set_properties(identifier: tuple[str, str], writer: int, outcome) -> None:
    try:
        table = connect().load_table(identifier)
        for number in range(COMMITS_EACH):
            with table.transaction() as transaction:
                transaction.set_properties({f"key-{writer}-{number}": "set"})
        outcome.put(None)
    except Exception:
        outcome.put(traceback.format_exc())


def test_changes_of_other_properties_are_all_kept(catalog, numbers):
    assert run_writers(set_properties, numbers) == []
    properties = catalog.load_table(numbers).properties
    assert len([key for key in properties if key.startswith("key-")]) == WRITERS * COMMITS_EACH


def test_a_stale_delete_is_refused_and_changes_nothing(catalog, numbers):
    table = catalog.load_table(numbers)
    table.append(pa.table({"id": pa.array([1, 2], pa.int64())}))
    stale = catalog.load_table(numbers)
    catalog.load_table(numbers).delete("id = 1")
    # After the 409 PyIceberg looks for itself whether it may try again.
    with (
        pytest.raises((CommitFailedException, ValidationException)),
        stale.transaction() as transaction,
    ):
        transaction.delete("id = 2")
    assert catalog.load_table(numbers).scan().to_arrow()["id"].to_pylist() == [2]
