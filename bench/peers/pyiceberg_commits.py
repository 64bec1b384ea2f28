"""One-file append commits per second by PyIceberg's SQL catalog: SQLite and a local warehouse.

Each process adds one file after the other to one table, from a fresh start, and
retries when another came first.
Durable: the catalog's row (SQLite); PyIceberg syncs none of the files it writes.
"""

import json
import multiprocessing
import os
import sys
import time

import pyarrow.parquet as pq
import pyiceberg
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException


def open_catalog(home):
    return SqlCatalog("peer", uri=f"sqlite:///{home}/peer.db", warehouse=f"file://{home}/peer")


def work(home, template, number, check, barrier, seconds, results):
    table = open_catalog(home).load_table("default.t")
    done = conflicts = 0
    barrier.wait()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        path = f"{home}/peer-files/{check}-{number}-{done}.parquet"
        os.link(template, path)
        while time.monotonic() < end:
            try:
                table.add_files([f"file://{path}"], check_duplicate_files=check)
                done += 1
                break
            except CommitFailedException:
                conflicts += 1
                table = table.refresh()
            except Exception as error:  # SQLite's lock, when many processes write
                if "locked" not in str(error):
                    raise
                conflicts += 1
                table = table.refresh()
    results.put((done, conflicts))


def measure(home, template, processes, check, seconds):
    catalog = open_catalog(home)
    catalog.create_namespace_if_not_exists("default")
    if catalog.table_exists("default.t"):
        catalog.drop_table("default.t")
    catalog.create_table("default.t", schema=pq.read_schema(template))
    os.makedirs(f"{home}/peer-files", exist_ok=True)
    for name in os.listdir(f"{home}/peer-files"):
        os.unlink(f"{home}/peer-files/{name}")
    barrier, results = multiprocessing.Barrier(processes), multiprocessing.Queue()
    workers = [
        multiprocessing.Process(
            target=work, args=(home, template, i, check, barrier, seconds, results)
        )
        for i in range(processes)
    ]
    for worker in workers:
        worker.start()
    answers = [results.get(timeout=seconds + 120) for _ in workers]
    for worker in workers:
        worker.join()
    return {
        "perSecond": sum(done for done, _ in answers) / seconds,
        "conflictsPerSecond": sum(conflicts for _, conflicts in answers) / seconds,
    }


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    home, template, seconds = request["home"], request["template"], request["seconds"]
    answer = {
        "version": pyiceberg.__version__,
        "checked": measure(home, template, 1, True, seconds),
        "unchecked": measure(home, template, 1, False, seconds),
        "fourProcesses": measure(home, template, 4, False, seconds),
    }
    print(json.dumps(answer))
