"""Prints the records of an Avro file as JSON, read by fastavro, avro or (`--iceberg`) PyIceberg.

Bytes are "0x...", longs are decimal strings with an n, as in plain-json.ts; logical types stay raw.
"""

import json
import sys


def plain(value):
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else {"float": repr(value)}
    if isinstance(value, int):
        return f"{value}n"
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()}


def read_with_fastavro(path):
    import fastavro

    fastavro.read.LOGICAL_READERS.clear()
    with open(path, "rb") as file:
        return list(fastavro.reader(file))


def read_with_avro(path):
    from avro import datafile, io, schema

    class Raw(io.DatumReader):
        def read_data(self, writers_schema, readers_schema, decoder):
            if getattr(writers_schema, "logical_type", None):
                plain_schema = {
                    k: v for k, v in writers_schema.to_json().items() if k != "logicalType"
                }
                writers_schema = readers_schema = schema.parse(json.dumps(plain_schema))
            return super().read_data(writers_schema, readers_schema, decoder)

    with open(path, "rb") as file:
        return list(datafile.DataFileReader(file, Raw()))


def read_with_pyiceberg(manifest_list):
    from pyiceberg.io.pyarrow import PyArrowFileIO
    from pyiceberg.manifest import read_manifest_list

    io = PyArrowFileIO()
    found = []
    for manifest in read_manifest_list(io.new_input(manifest_list)):
        for entry in manifest.fetch_manifest_entry(io, discard_deleted=False):
            file = entry.data_file
            found.append(
                {
                    "status": entry.status.name,
                    "snapshot_id": entry.snapshot_id,
                    "sequence_number": entry.sequence_number,
                    "path": file.file_path,
                    "rows": file.record_count,
                    "partition": str([str(file.partition[i]) for i in range(len(file.partition))]),
                    "lower": {str(k): v for k, v in (file.lower_bounds or {}).items()},
                }
            )
    return found


def main():
    if sys.argv[1] == "--iceberg":
        records = read_with_pyiceberg(sys.argv[2])
    else:
        try:
            records = read_with_fastavro(sys.argv[1])
        except ImportError:
            records = read_with_avro(sys.argv[1])
    print(json.dumps(plain(records)))


main()
