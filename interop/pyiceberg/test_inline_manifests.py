"""Tables of format version 1 whose snapshots name their manifests, as PyIceberg writes those."""

import json
from pathlib import Path

import pyarrow as pa
from moraine import local_path
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import LongType, NestedField, StringType

SCHEMA = Schema(
    NestedField(1, "kind", StringType(), required=False),
    NestedField(2, "id", LongType(), required=False),
)
SPEC = PartitionSpec(PartitionField(1, 1000, IdentityTransform(), "kind"))


def rows(*ids: int) -> pa.Table:
    return pa.table({"kind": ["even" if n % 2 == 0 else "odd" for n in ids], "id": list(ids)})


def without_lists(table) -> str:
    """The address of a copy of the table's metadata whose snapshots have no lists."""
    path = Path(local_path(table.metadata_location))
    metadata = json.loads(path.read_text())
    for snapshot in metadata["snapshots"]:
        found = table.snapshot_by_id(snapshot["snapshot-id"]).manifests(table.io)
        snapshot["manifests"] = [manifest.manifest_path for manifest in found]
        Path(local_path(snapshot.pop("manifest-list"))).unlink()
    copy = path.with_name(f"00099-{path.name.partition('-')[2]}")
    copy.write_text(json.dumps(metadata))
    return f"file://{copy}"


def test_they_are_registered_read_dumped_and_added_to(catalog, namespace, v1):
    table = catalog.create_table(
        (namespace, "old"), SCHEMA, partition_spec=SPEC, properties={"format-version": "1"}
    )
    assert table.format_version == 1
    table.append(rows(1, 2))
    table.append(rows(3, 4))
    table.delete("id = 2")
    location = without_lists(table)
    catalog.drop_table((namespace, "old"))
    back = catalog.register_table((namespace, "back"), location)
    assert sorted(back.scan().to_arrow()["id"].to_pylist()) == [1, 3, 4]
    assert sorted(back.scan("kind = 'even'").to_arrow()["id"].to_pylist()) == [4]
    first = back.history()[0].snapshot_id
    assert sorted(back.scan(snapshot_id=first).to_arrow()["id"].to_pylist()) == [1, 2]
    back.append(rows(5))
    dump = v1.download(f"/v1/tables/{namespace}.back/dump?format=csv").decode()
    assert sorted(dump.split()[1:]) == ["even,4", "odd,1", "odd,3", "odd,5"]
