"""Makes the golden files of stitch-writers.oracle.test.ts.

The same columns, three files of each writer.

Run: pip install pyarrow polars fastparquet pandas && python make-files.py
"""

import datetime
from pathlib import Path

import fastparquet
import polars
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).parent
ROWS = 120


def table(part: int) -> pa.Table:
    rows = range(part * ROWS, (part + 1) * ROWS)
    start = datetime.datetime(2024, 3, 17, 23, 51, 46)
    return pa.table(
        {
            "id": pa.array(rows, pa.int64()),
            "name": pa.array([None if i % 7 == 0 else f"name-{i % 11}" for i in rows]),
            "price": pa.array([i * 1.25 for i in rows], pa.float64()),
            "at": pa.array([start + datetime.timedelta(hours=i) for i in rows], pa.timestamp("us")),
            "small": pa.array([i % 5 for i in rows], pa.int32()),
            "flag": pa.array([i % 3 == 0 for i in rows], pa.bool_()),
        }
    )


WRITERS = {
    "pyarrow-plain": {},
    "pyarrow-page-index": {"write_page_index": True, "data_page_size": 256, "write_batch_size": 16},
    "pyarrow-v2-no-dictionary": {
        "data_page_version": "2.0",
        "use_dictionary": False,
        "compression": "zstd",
        "write_page_checksum": True,
    },
    "pyarrow-1.0": {"version": "1.0", "compression": "gzip", "store_schema": False},
    "pyarrow-bloom": {
        "bloom_filter_options": {"id": {"ndv": 200}, "name": {"ndv": 20}},
        "write_page_index": True,
    },
}


def main() -> None:
    for part in range(3):
        data = table(part)
        for name, options in WRITERS.items():
            path = FOLDER / f"{name}-{part}.parquet"
            pq.write_table(data, path, row_group_size=50, **options)
        frame = polars.from_arrow(data)
        frame.write_parquet(FOLDER / f"polars-{part}.parquet", row_group_size=50)
        fastparquet.write(
            str(FOLDER / f"fastparquet-{part}.parquet"),
            data.to_pandas(),
            row_group_offsets=[0, 50],
            write_index=False,
            times="int64",
        )


main()
