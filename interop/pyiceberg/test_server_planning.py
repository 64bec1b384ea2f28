"""PyIceberg may leave the planning of a scan to the service: the same rows must come."""

import pyarrow as pa
import pytest
from moraine import connect, rows
from pyiceberg.transforms import IdentityTransform

ARROW = pa.schema([("kind", pa.string()), ("id", pa.int64())])


@pytest.fixture
def planned(catalog, namespace):
    server = connect(scan_planning_mode="server")
    assert server.supports_server_side_planning()
    table = catalog.create_table((namespace, "t"), ARROW)
    with table.update_spec() as update:
        update.add_field("kind", IdentityTransform(), "kind")
    # PyIceberg 0.12 cannot read a null in the partition of a planned file: each has a value.
    for start in (0, 10, 20):
        data = [{"kind": kind, "id": start + n} for n, kind in enumerate(["a", "b", "ż/%"])]
        table.append(pa.Table.from_pylist(data, ARROW))
    return server.load_table((namespace, "t"))


@pytest.mark.parametrize(
    "condition",
    ["id >= 0", "kind = 'b'", "kind = 'ż/%'", "id > 11 and kind = 'a'", "id in (1, 21)", "id < 0"],
)
def test_the_rows_are_those_of_the_client_s_own_plan(planned, condition):
    own = connect().load_table(planned.name())
    got = planned.scan(condition)
    assert rows(got.to_arrow()) == rows(own.scan(condition).to_arrow())
    paths = {task.file.file_path for task in got.plan_files()}
    assert paths == {task.file.file_path for task in own.scan(condition).plan_files()}


def test_an_older_snapshot_is_planned(planned):
    first = planned.history()[0].snapshot_id
    assert len(planned.scan(snapshot_id=first).to_arrow()) == 3
