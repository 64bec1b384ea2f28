"""Writes the cases beside this file.

What PyIceberg makes of a table's metadata and a list of updates.

Run by hand, with pyiceberg 0.12 installed: python make-cases.py
"""

import json
import pathlib

from pydantic import TypeAdapter
from pyiceberg.table import update
from pyiceberg.table.metadata import TableMetadataUtil
from pyiceberg.typedef import IcebergBaseModel

FOLDER = pathlib.Path(__file__).parent
ADAPTER = TypeAdapter(list[update.TableUpdate])
ID = 3055729675574597004
SCHEMA = {
    "type": "struct",
    "schema-id": 0,
    "identifier-field-ids": [1],
    "fields": [
        {"id": 1, "name": "id", "required": True, "type": "long"},
        {"id": 2, "name": "name", "required": False, "type": "string", "doc": "of the planet"},
        {"id": 3, "name": "at", "required": False, "type": "timestamptz"},
    ],
}


def base(version):
    return {
        "format-version": version,
        "table-uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1",
        "location": "s3://bucket/planets",
        "last-sequence-number": 0,
        "last-updated-ms": 1600000000000,
        "last-column-id": 3,
        "current-schema-id": 0,
        "schemas": [SCHEMA],
        "default-spec-id": 0,
        "partition-specs": [{"spec-id": 0, "fields": []}],
        "last-partition-id": 999,
        "default-sort-order-id": 0,
        "sort-orders": [{"order-id": 0, "fields": []}],
        "properties": {"owner": "me", "write.format.default": "parquet"},
        "snapshots": [],
        "snapshot-log": [],
        "metadata-log": [],
        "refs": {},
        **({"next-row-id": 0} if version == 3 else {}),
        **({"schema": SCHEMA, "partition-spec": []} if version == 1 else {}),
    }


def snapshot(number, parent=None, **more):
    return {
        "action": "add-snapshot",
        "snapshot": {
            "snapshot-id": ID + number,
            "sequence-number": number,
            "timestamp-ms": 1600000001000 + number,
            "manifest-list": f"s3://bucket/planets/metadata/{number}.avro",
            "summary": {"operation": "append", "added-records": str(number)},
            "schema-id": 0,
            **({} if parent is None else {"parent-snapshot-id": ID + parent}),
            **more,
        },
    }


def ref(name, number, kind="branch", **more):
    return {
        "action": "set-snapshot-ref",
        "ref-name": name,
        "type": kind,
        "snapshot-id": ID + number,
        **more,
    }


WIDER = {
    **SCHEMA,
    "schema-id": 1,
    "fields": [
        *SCHEMA["fields"],
        {"id": 4, "name": "mass", "required": False, "type": "decimal(9, 2)"},
    ],
}

CASES = {
    "schema-evolution": (
        2,
        [
            {"action": "add-schema", "schema": WIDER},
            {"action": "set-current-schema", "schema-id": -1},
            {"action": "set-properties", "updates": {"a": "b", "owner": "you"}},
            {"action": "remove-properties", "removals": ["write.format.default"]},
            {"action": "set-location", "location": "s3://bucket/moved"},
        ],
    ),
    "partition-evolution": (
        2,
        [
            {
                "action": "add-spec",
                "spec": {
                    "spec-id": 1,
                    "fields": [
                        {"source-id": 3, "field-id": 1000, "transform": "day", "name": "at_day"},
                        {
                            "source-id": 1,
                            "field-id": 1001,
                            "transform": "bucket[16]",
                            "name": "id_bucket",
                        },
                    ],
                },
            },
            {"action": "set-default-spec", "spec-id": -1},
            {
                "action": "add-sort-order",
                "sort-order": {
                    "order-id": 1,
                    "fields": [
                        {
                            "source-id": 2,
                            "transform": "truncate[4]",
                            "direction": "desc",
                            "null-order": "nulls-last",
                        }
                    ],
                },
            },
            {"action": "set-default-sort-order", "sort-order-id": -1},
            {"action": "remove-partition-specs", "spec-ids": [0]},
        ],
    ),
    "snapshots": (
        2,
        [
            snapshot(1),
            ref("main", 1),
            snapshot(2, 1),
            ref("main", 2),
            snapshot(3, 1),
            ref("audit", 3, **{"min-snapshots-to-keep": 2, "max-snapshot-age-ms": 5}),
            ref("v1", 1, "tag", **{"max-ref-age-ms": 9}),
            {
                "action": "set-statistics",
                "snapshot-id": ID + 2,
                "statistics": {
                    "snapshot-id": ID + 2,
                    "statistics-path": "s3://bucket/2.puffin",
                    "file-size-in-bytes": 9,
                    "file-footer-size-in-bytes": 3,
                    "blob-metadata": [],
                },
            },
        ],
    ),
    "expiry": (
        2,
        [
            snapshot(1),
            ref("main", 1),
            snapshot(2, 1),
            ref("main", 2),
            ref("v1", 1, "tag"),
            ref("b", 2),
            {"action": "remove-snapshots", "snapshot-ids": [ID + 1]},
            {"action": "remove-snapshot-ref", "ref-name": "b"},
        ],
    ),
    "row-lineage": (
        3,
        [
            snapshot(1, **{"first-row-id": 0, "added-rows": 40}),
            ref("main", 1),
            snapshot(2, 1, **{"first-row-id": 40, "added-rows": 2}),
            ref("main", 2),
        ],
    ),
    "upgrade": (
        1,
        [
            {"action": "upgrade-format-version", "format-version": 2},
            snapshot(1),
            ref("main", 1),
        ],
    ),
}

for name, (version, updates) in CASES.items():
    metadata = TableMetadataUtil.parse_obj(base(version))
    after = update.update_table_metadata(metadata, tuple(ADAPTER.validate_python(updates)))
    # Not its own method: that refuses version 3, of which it knows enough for this.
    expected = json.loads(IcebergBaseModel.model_dump_json(after))
    case = {"base": base(version), "updates": updates, "expected": expected}
    (FOLDER / f"{name}.json").write_text(json.dumps(case, indent=1) + "\n")
