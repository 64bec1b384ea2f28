"""One-file append commits per second by PyIceberg through a REST catalog.

The same client for each server.

Each process adds one file after the other to one table, and retries when another came first.
"""

import json
import multiprocessing
import os
import sys
import time

import pyarrow.parquet as pq
import pyiceberg
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import CommitFailedException


def work(request, number, barrier, results):
    table = load_catalog("server", type="rest", uri=request["uri"]).load_table("py.t")
    done = conflicts = 0
    barrier.wait()
    end = time.monotonic() + request["seconds"]
    while time.monotonic() < end:
        path = f"{request['folder']}/{request['name']}-{number}-{done}-{conflicts}.parquet"
        os.link(request["template"], path)
        try:
            table.add_files([f"file://{path}"], check_duplicate_files=False)
            done += 1
        except CommitFailedException:
            conflicts += 1
            table = table.refresh()
    results.put((done, conflicts))


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    catalog = load_catalog("server", type="rest", uri=request["uri"])
    catalog.create_namespace_if_not_exists("py")
    if catalog.table_exists("py.t"):
        catalog.drop_table("py.t")
    catalog.create_table("py.t", schema=pq.read_schema(request["template"]))
    processes = request["processes"]
    barrier, results = multiprocessing.Barrier(processes), multiprocessing.Queue()
    workers = [
        multiprocessing.Process(target=work, args=(request, i, barrier, results))
        for i in range(processes)
    ]
    for worker in workers:
        worker.start()
    answers = [results.get(timeout=request["seconds"] + 120) for _ in workers]
    for worker in workers:
        worker.join()
    rates = [sum(column) / request["seconds"] for column in zip(*answers)]
    print(
        json.dumps(
            {
                "version": pyiceberg.__version__,
                "perSecond": rates[0],
                "conflictsPerSecond": rates[1],
            }
        )
    )
