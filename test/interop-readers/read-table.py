"""Reads a table through its metadata file with PyIceberg.

Writes the rows as Parquet, without field ids.
"""

import sys

import pyarrow.parquet
from pyiceberg.table import StaticTable

metadata_location, snapshot_id, output, row_filter = sys.argv[1:]
table = StaticTable.from_metadata(metadata_location)
rows = table.scan(
    row_filter=row_filter or "true",
    snapshot_id=None if snapshot_id == "current" else int(snapshot_id),
).to_arrow()
schema = pyarrow.schema([field.remove_metadata() for field in rows.schema])
pyarrow.parquet.write_table(rows.cast(schema), output)
