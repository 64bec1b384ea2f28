"""How long PyIceberg plans a scan.

It reads the manifests itself, from local files, in as many threads as it likes.
"""

import json
import sys
import time

import pyiceberg
from pyiceberg.table import StaticTable


def plan(table, row_filter):
    begin = time.monotonic()
    scan = table.scan(row_filter=row_filter) if row_filter else table.scan()
    files = sum(1 for _ in scan.plan_files())
    return files, (time.monotonic() - begin) * 1000


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    table = StaticTable.from_metadata(request["metadataLocation"])
    answers = {}
    for name, row_filter in request["filters"].items():
        files, first = plan(table, row_filter)
        times = [first] + [plan(table, row_filter)[1] for _ in range(request["rounds"])]
        answers[name] = {"files": files, "firstMs": first, "bestMs": min(times)}
    print(json.dumps({"version": pyiceberg.__version__, "answers": answers}))
