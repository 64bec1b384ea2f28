"""Makes the Avro files of this folder with other writers: PyIceberg and fastavro. See README.md.

    python3 -m venv venv && venv/bin/pip install pyiceberg fastavro zstandard backports.zstd pyarrow
    venv/bin/python make-files.py

What each file holds is written beside it from the values that went in, never read back from it.
"""

import json
import pathlib
import uuid
from decimal import Decimal

import fastavro
import zstandard
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestEntry,
    ManifestEntryStatus,
    write_manifest,
    write_manifest_list,
)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import BucketTransform, DayTransform, IdentityTransform
from pyiceberg.typedef import Record
from pyiceberg.types import (
    DateType,
    DecimalType,
    DoubleType,
    FixedType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
    UUIDType,
)

FOLDER = pathlib.Path(__file__).resolve().parent
IO = PyArrowFileIO()
SNAPSHOT_ID = 2**62 + 3
PATH = "s3://bucket/table/data/größe=1/%05d.parquet"

SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=False),
    NestedField(2, "größe", DoubleType(), required=False),
    NestedField(3, "a-b", StringType(), required=False),
    NestedField(4, "d", DateType(), required=False),
    NestedField(5, "ts", TimestampType(), required=False),
    NestedField(6, "price", DecimalType(9, 2), required=False),
    NestedField(7, "wide", DecimalType(38, 10), required=False),
    NestedField(8, "u", UUIDType(), required=False),
    NestedField(9, "f", FixedType(5), required=False),
    schema_id=2,
)
SPEC = PartitionSpec(
    PartitionField(1, 1000, BucketTransform(16), "id_bucket"),
    PartitionField(2, 1001, IdentityTransform(), "größe"),
    PartitionField(3, 1002, IdentityTransform(), "a-b"),
    PartitionField(5, 1003, DayTransform(), "ts_day"),
    PartitionField(6, 1004, IdentityTransform(), "price"),
    PartitionField(7, 1005, IdentityTransform(), "wide"),
    PartitionField(8, 1006, IdentityTransform(), "u"),
    PartitionField(9, 1007, IdentityTransform(), "f"),
    PartitionField(1, 1008, IdentityTransform(), "id"),
    spec_id=5,
)
UUID = uuid.UUID("f79c3e09-677c-4bbd-a479-3f349cb785e7")
ROWS = [
    (
        3,
        1.5,
        "x/ü",
        19000,
        Decimal("-14.20"),
        Decimal("1234567890123456789.0123456789"),
        UUID,
        b"abcde",
        2**62 + 1,
    ),
    (None,) * 9,
]
ROWS_JSON = [
    [
        3,
        1.5,
        "x/ü",
        19000,
        "-1420n",
        "12345678901234567890123456789n",
        "0x" + UUID.hex,
        "0x6162636465",
        f"{2**62 + 1}n",
    ],
    [None] * 9,
]


def metrics(i):
    return {
        "column_sizes": {1: 100 + i, 2: 2**40},
        "value_counts": {1: 7, 2: 7},
        "null_value_counts": {2: 1},
        "nan_value_counts": {},
        "lower_bounds": {1: (i).to_bytes(8, "little"), 3: b""},
        "upper_bounds": {1: (i + 9).to_bytes(8, "little"), 3: "z€".encode()},
    }


def metrics_json(i):
    def plain(values):
        return {str(k): "0x" + v.hex() if isinstance(v, bytes) else v for k, v in values.items()}

    names = {
        "column_sizes": "columnSizes",
        "value_counts": "valueCounts",
        "null_value_counts": "nullValueCounts",
        "nan_value_counts": "nanValueCounts",
        "lower_bounds": "lowerBounds",
        "upper_bounds": "upperBounds",
    }
    return {names[name]: plain(values) for name, values in metrics(i).items()}


def entry_json(i, status, sequence, file_sequence, snapshot_id, **more):
    return {
        "status": status,
        "snapshotId": f"{snapshot_id}n",
        "sequenceNumber": f"{sequence}n",
        "fileSequenceNumber": f"{file_sequence}n",
        "dataFile": {
            "content": "data",
            "path": PATH % i,
            "format": "parquet",
            "specId": 5,
            "partition": ROWS_JSON[i % 2],
            "recordCount": 7 + i,
            "fileSizeBytes": 2**33 + i,
            **metrics_json(i),
            "splitOffsets": [4, 2**34],
            **more,
        },
    }


def pyiceberg_manifest(name, version, codec):
    file = IO.new_output(str(FOLDER / name))
    with write_manifest(version, SPEC, SCHEMA, file, SNAPSHOT_ID, codec) as writer:
        for i in range(3):
            data_file = DataFile.from_args(
                content=DataFileContent.DATA,
                file_path=PATH % i,
                file_format=FileFormat.PARQUET,
                partition=Record(*ROWS[i % 2]),
                record_count=7 + i,
                file_size_in_bytes=2**33 + i,
                **metrics(i),
                key_metadata=None,
                split_offsets=[4, 2**34],
                equality_ids=None,
                sort_order_id=None,
                spec_id=5,
            )
            entry = ManifestEntry.from_args(
                status=ManifestEntryStatus.ADDED,
                snapshot_id=SNAPSHOT_ID,
                sequence_number=None if i == 0 else 2,
                file_sequence_number=None if i == 0 else 3,
                data_file=data_file,
            )
            [writer.add, writer.existing, writer.delete][i](entry)
    return writer.to_manifest_file()


def describe(name, kind, manifest, found):
    text = json.dumps(
        {"kind": kind, "manifest": manifest, "found": found}, indent=1, ensure_ascii=False
    )
    (FOLDER / name.replace(".avro", ".json")).write_text(text + "\n", encoding="utf8")


def pyiceberg_files():
    listed = {}
    for version, codec in ((1, "deflate"), (2, "deflate"), (2, "zstandard"), (2, "null")):
        name = f"pyiceberg-v{version}-{codec}.avro"
        listed[name] = pyiceberg_manifest(name, version, codec)
        own = 0 if version == 1 else 8
        numbers = [
            (own, own),
            (0, 0) if version == 1 else (2, 3),
            (0, 0) if version == 1 else (2, 3),
        ]
        statuses = ["added", "existing", "deleted"]
        describe(
            name,
            "manifest",
            {"specId": 5, "sequenceNumber": f"{own}n", "addedSnapshotId": f"{SNAPSHOT_ID}n"},
            [entry_json(i, statuses[i], *numbers[i], SNAPSHOT_ID) for i in range(3)],
        )
    for version, codec in ((1, "deflate"), (2, "zstandard")):
        name = f"pyiceberg-list-v{version}-{codec}.avro"
        manifest = listed[f"pyiceberg-v{version}-{codec}.avro"]
        manifest_path = "s3://bucket/table/metadata/m.avro"
        manifest._data[0] = manifest_path
        length = manifest.manifest_length
        file = IO.new_output(str(FOLDER / name))
        with write_manifest_list(version, file, SNAPSHOT_ID, 4, 8, codec) as writer:
            writer.add_manifests([manifest])
        own = 0 if version == 1 else 8
        describe(
            name,
            "manifest-list",
            None,
            [
                {
                    "path": manifest_path,
                    "lengthBytes": length,
                    "specId": 5,
                    "content": "data",
                    "sequenceNumber": f"{own}n",
                    "minSequenceNumber": f"{0 if version == 1 else 2}n",
                    "addedSnapshotId": f"{SNAPSHOT_ID}n",
                    "addedFilesCount": 1,
                    "existingFilesCount": 1,
                    "deletedFilesCount": 1,
                    "addedRowsCount": 7,
                    "existingRowsCount": 8,
                    "deletedRowsCount": 9,
                    "partitions": [
                        bounds("03000000", "03000000"),
                        bounds("000000000000f83f", "000000000000f83f"),
                        bounds("782fc3bc", "782fc3bc"),
                        bounds("384a0000", "384a0000"),
                        bounds("fa74", "fa74"),
                        bounds("27e41b3246bec9b16e398115", "27e41b3246bec9b16e398115"),
                        bounds(UUID.hex, UUID.hex),
                        bounds("6162636465", "6162636465"),
                        bounds("0100000000000040", "0100000000000040"),
                    ],
                }
            ],
        )


def bounds(lower, upper):
    return {
        "containsNull": True,
        "containsNan": False,
        "lowerBound": "0x" + lower,
        "upperBound": "0x" + upper,
    }


# --- fastavro: layouts that the specification allows and neither PyIceberg nor we write ----------


def field(id, name, type, **more):
    return {"name": name, "type": type, "field-id": id, **more}


def nullable(type):
    return ["null", type]


def pairs(key_id, value_id, value, turned=False):
    fields = [field(key_id, "key", "int"), field(value_id, "value", value)]
    record = {
        "type": "record",
        "name": f"k{key_id}_v{value_id}",
        "fields": fields[::-1] if turned else fields,
    }
    return {"type": "array", "logicalType": "map", "items": record}


def as_pairs(values):
    return [{"key": key, "value": value} for key, value in values.items()]


def fastavro_v3():
    """Version 3: other names and order of fields, null after the value, pairs turned, row ids."""
    unknown = {
        "type": "map",
        "values": {
            "type": "array",
            "items": ["null", "double", {"type": "fixed", "name": "odd", "size": 3}],
        },
    }
    data_file = {
        "type": "record",
        "name": "r2",
        "namespace": "org.example",
        "fields": [
            field(104, "size", "long"),
            field(9000, "unknown_one", unknown),
            field(128, "upper", [pairs(129, 130, "bytes", turned=True), "null"]),
            field(125, "lower", nullable(pairs(126, 127, nullable("bytes")))),
            field(108, "sizes", nullable({"type": "map", "values": "long"})),
            field(109, "counts", nullable(pairs(119, 120, "long"))),
            field(
                102,
                "partition",
                {
                    "type": "record",
                    "name": "r102",
                    "fields": [
                        field(1001, "second", nullable("string")),
                        field(9001, "unknown_partition", nullable("long")),
                        field(1000, "first", nullable({"type": "int", "logicalType": "date"})),
                    ],
                },
            ),
            field(100, "path", "string"),
            field(101, "format", "string"),
            field(103, "rows", "long"),
            field(134, "content", "int"),
            field(142, "first_row_id", nullable("long")),
            field(143, "referenced", nullable("string")),
            field(144, "offset", nullable("long")),
            field(145, "length", nullable("long")),
            field(135, "ids", nullable({"type": "array", "items": "int", "element-id": 136})),
            field(140, "sort", nullable("int")),
            field(131, "key", nullable("bytes")),
        ],
    }
    schema = {
        "type": "record",
        "name": "manifest_entry",
        "fields": [
            field(2, "data_file", data_file),
            field(4, "fsn", ["long", "null"]),
            field(3, "sn", nullable("long")),
            field(
                9002, "unknown_enum", {"type": "enum", "name": "color", "symbols": ["RED", "BLUE"]}
            ),
            field(1, "sid", nullable("long")),
            field(0, "state", "int"),
        ],
    }

    def record(i, status, **more):
        file = {
            "size": 10 + i,
            "unknown_one": {"a": [None, 1.5, b"xyz"]},
            "upper": None if i else as_pairs({1: b"\x05", 4: b"zz"}),
            "lower": as_pairs({1: None, 4: b"aa"}),
            "sizes": {"1": 5, "4": 6},
            "counts": [],
            "partition": {"second": "ß", "unknown_partition": 8, "first": 12},
            "path": f"gs://b/{i}.puffin",
            "format": "PUFFIN",
            "rows": 100 + i,
            "content": 0,
            "first_row_id": None,
            "referenced": None,
            "offset": None,
            "length": None,
            "ids": None,
            "sort": None,
            "key": None,
            **more,
        }
        return {
            "data_file": file,
            "fsn": None,
            "sn": None,
            "unknown_enum": "BLUE",
            "sid": None,
            "state": status,
        }

    records = [
        record(0, 1),
        record(1, 1, first_row_id=5),
        record(
            2, 1, referenced="gs://b/1", offset=4, length=2**33, ids=[1, 4], sort=2, key=b"\x00\x01"
        ),
    ]
    spec = [
        {"name": "first", "transform": "day", "source-id": 1, "field-id": 1000},
        {"name": "second", "transform": "identity", "source-id": 2, "field-id": 1001},
    ]
    table = {
        "type": "struct",
        "schema-id": 0,
        "fields": [
            {"id": 1, "name": "t", "required": False, "type": "timestamptz_ns"},
            {"id": 2, "name": "s", "required": False, "type": "string"},
        ],
    }
    metadata = {
        "schema": json.dumps(table),
        "partition-spec": json.dumps(spec),
        "partition-spec-id": "0",
        "format-version": "3",
        "content": "data",
    }

    def found(i, first_row_id, **more):
        upper = {} if i else {"upperBounds": {"1": "0x05", "4": "0x7a7a"}}
        return {
            "status": "added",
            "snapshotId": "77n",
            "sequenceNumber": "9n",
            "fileSequenceNumber": "9n",
            "dataFile": {
                "content": "data",
                "path": f"gs://b/{i}.puffin",
                "format": "puffin",
                "specId": 0,
                "partition": [12, "ß"],
                "recordCount": 100 + i,
                "fileSizeBytes": 10 + i,
                "columnSizes": {"1": 5, "4": 6},
                "valueCounts": {},
                "lowerBounds": {"4": "0x6161"},
                **upper,
                "firstRowId": first_row_id,
                **more,
            },
        }

    rare = {
        "referencedDataFile": "gs://b/1",
        "contentOffset": 4,
        "contentSizeBytes": 2**33,
        "equalityIds": [1, 4],
        "sortOrderId": 2,
        "keyMetadata": "0x0001",
    }
    for codec in ("zstandard", "deflate"):
        name = f"fastavro-v3-{codec}.avro"
        with open(FOLDER / name, "wb") as out:
            fastavro.writer(out, schema, records, codec=codec, metadata=metadata, sync_interval=300)
        describe(
            name,
            "manifest",
            {"specId": 0, "sequenceNumber": "9n", "addedSnapshotId": "77n", "firstRowId": "1000n"},
            [found(0, "1000n"), found(1, "5n"), found(2, "1100n", **rare)],
        )


def fastavro_old_list():
    """Version 1 as the first writers made it: counts by older names, or none at all."""
    schema = {
        "type": "record",
        "name": "manifest_file",
        "fields": [
            field(500, "manifest_path", "string"),
            field(501, "manifest_length", "long"),
            field(502, "partition_spec_id", "int"),
            field(503, "added_snapshot_id", nullable("long")),
            field(504, "added_data_files_count", nullable("int")),
            field(505, "existing_data_files_count", nullable("int")),
        ],
    }
    records = [
        {
            "manifest_path": "hdfs:/m1.avro",
            "manifest_length": 5,
            "partition_spec_id": 0,
            "added_snapshot_id": SNAPSHOT_ID,
            "added_data_files_count": 3,
            "existing_data_files_count": 0,
        },
        {
            "manifest_path": "hdfs:/m2.avro",
            "manifest_length": 6,
            "partition_spec_id": 1,
            "added_snapshot_id": -5,
            "added_data_files_count": None,
            "existing_data_files_count": None,
        },
    ]
    name = "fastavro-list-v1.avro"
    with open(FOLDER / name, "wb") as out:
        fastavro.writer(out, schema, records, codec="null")

    def found(path, length, spec, snapshot_id, added, existing):
        return {
            "path": path,
            "lengthBytes": length,
            "specId": spec,
            "content": "data",
            "sequenceNumber": "0n",
            "minSequenceNumber": "0n",
            "addedSnapshotId": f"{snapshot_id}n",
            "addedFilesCount": added,
            "existingFilesCount": existing,
            "deletedFilesCount": 1,
            "addedRowsCount": 1,
            "existingRowsCount": 1,
            "deletedRowsCount": 1,
        }

    describe(
        name,
        "manifest-list",
        None,
        [
            found("hdfs:/m1.avro", 5, 0, SNAPSHOT_ID, 3, 0),
            found("hdfs:/m2.avro", 6, 1, -5, 1, 1),
        ],
    )


def zstandard_files():
    """Frames of more than one block; zstandard.test.ts makes the same text."""
    lines = [
        f"file:///warehouse/{i % 100}/{i * 2654435761 % 2**32:08x}.parquet\n" for i in range(5000)
    ]
    text = "".join(lines).encode()
    stream = zstandard.ZstdCompressor(level=3, write_content_size=False).compressobj()
    frames = {
        "level-1": zstandard.ZstdCompressor(level=1).compress(text),
        "level-19-checksum": zstandard.ZstdCompressor(level=19, write_checksum=True).compress(text),
        "stream": stream.compress(text) + stream.flush(),
    }
    for name, frame in frames.items():
        (FOLDER / f"{name}.zst").write_bytes(frame)


zstandard_files()
pyiceberg_files()
fastavro_v3()
fastavro_old_list()
