"""One-file append commits per second by DuckLake with DuckDB as its catalog.

One process, several threads.

Durable: DuckDB syncs its log once a commit. DuckLake does not look whether
a file is in the table already.
"""

import glob
import json
import os
import sys
import threading
import time

import duckdb
import duckdb_extension_ducklake


def open_lake(home, template):
    folder = os.path.dirname(duckdb_extension_ducklake.__file__)
    [extension] = glob.glob(f"{folder}/extensions/*/ducklake.duckdb_extension")
    database = duckdb.connect()
    database.execute(f"LOAD '{extension}'")
    os.makedirs(f"{home}/ducklake-files")
    database.execute(
        f"ATTACH 'ducklake:{home}/lake.ducklake' AS lake (DATA_PATH '{home}/ducklake')"
    )
    database.execute(f"CREATE TABLE lake.t AS FROM '{template}' LIMIT 0")
    return database


def measure(database, home, template, threads, seconds):
    counts = [(0, 0)] * threads
    barrier = threading.Barrier(threads)

    def work(number):
        cursor = database.cursor()
        done = conflicts = 0
        barrier.wait()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            path = f"{home}/ducklake-files/{threads}-{number}-{done}-{conflicts}.parquet"
            os.link(template, path)
            try:
                cursor.execute(f"CALL ducklake_add_data_files('lake', 't', '{path}')")
                done += 1
            except duckdb.Error as error:
                if "onflict" not in str(error):
                    raise
                conflicts += 1
        counts[number] = (done, conflicts)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return {
        "perSecond": sum(done for done, _ in counts) / seconds,
        "conflictsPerSecond": sum(conflicts for _, conflicts in counts) / seconds,
    }


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    home, template, seconds = request["home"], request["template"], request["seconds"]
    lake = open_lake(home, template)
    one = measure(lake, home, template, 1, seconds)
    many = measure(lake, home, template, 8, seconds)
    print(json.dumps({"version": f"1.0 of DuckDB {duckdb.__version__}", "one": one, "eight": many}))
