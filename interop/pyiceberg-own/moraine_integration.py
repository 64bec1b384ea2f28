"""A plugin of pytest: PyIceberg's own integration tests, without Spark and Hive."""

import os
import sys
import time
import types

import pyarrow as pa
import pyiceberg.io.pyarrow
import pytest
from pyiceberg.catalog.rest import RestCatalog

SERVICE = "http://localhost:8181"
URI = f"{os.environ['MORAINE_URL']}/iceberg"
# What the tests run on beside a catalog over REST: PyIceberg's own catalogs, and Hive's.
OTHERS = (
    "memory_catalog",
    "sqlite_catalog",
    "hive_catalog",
    "session_catalog_hive",
    "rest_test_catalog",
)
# Tables that Spark makes before the tests (dev/provision.py, which does not come with the sources).
PROVIDED = (
    *("test_all_types", "test_empty_scan_ordered_str", "test_incremental_read"),
    *("test_partitioned_by", "test_positional_mor", "test_table_add_column"),
    *("test_table_empty_list_and_map", "test_table_sanitized_character", "test_table_version"),
    "test_uuid_and_fixed_unpartitioned",
)
NANS = pa.table(
    {
        "idx": pa.array([1, 2, 3], pa.int32()),
        "col_numeric": pa.array([float("nan"), None, 1], pa.float32()),
    }
)
NUMBERS = [pa.table({"number": pa.array([n], pa.int32())}) for n in range(5)]
TENS = [pa.table({"idx": pa.array([n], pa.int32())}) for n in range(1, 11)]
# Those that need no Spark: what is appended to them, one after the other.
SIMPLE = {
    "test_null_nan": [NANS],
    "test_null_nan_rewritten": [NANS],
    "test_limit": TENS,
    "test_table_snapshot_operations": NUMBERS,
}


class NoSpark:
    """A session that ends a test where it asks Spark for something, and not before."""

    def getOrCreate(self) -> "NoSpark":
        return self

    def __getattr__(self, name: str) -> object:
        pytest.skip("needs a server of Spark")


class HiveCatalog:
    """No catalog is one."""

    def __init__(self, *_args: object, **_options: object) -> None:
        pytest.skip("needs a metastore of Hive")


def module(name: str, **members: object) -> types.ModuleType:
    made = types.ModuleType(name)
    made.__dict__.update(members)
    sys.modules[name] = made
    return made


session = type(
    "SparkSession", (), {"builder": types.SimpleNamespace(remote=lambda _url: NoSpark())}
)
module("pyspark")
module("pyspark.sql", SparkSession=session, DataFrame=object)
module("pyspark.sql.utils", AnalysisException=Exception)
module("hive_metastore")
module(
    "hive_metastore.ttypes",
    LockRequest=object,
    LockResponse=object,
    LockState=object,
    UnlockRequest=object,
)
module("pyiceberg.catalog.hive", HiveCatalog=HiveCatalog, _HiveClient=object)

open_catalog = RestCatalog.__init__
load_table = RestCatalog.load_table


def open_here(self: RestCatalog, name: str, **properties: str) -> None:
    if properties.get("uri") == SERVICE:
        properties = {key: each for key, each in properties.items() if not key.startswith("s3.")}
        properties["uri"] = URI
    open_catalog(self, name, **properties)


def load_provided(self: RestCatalog, identifier: str | tuple[str, ...]) -> object:
    levels = identifier.split(".") if isinstance(identifier, str) else identifier
    if levels[0] == "default" and not self.table_exists(identifier):
        if levels[-1].startswith(PROVIDED):
            pytest.skip("needs a table that Spark makes")
        made = None
        for rows in SIMPLE.get(levels[-1], []):
            made = self.create_table(identifier, rows.schema) if made is None else made
            made.append(rows)
    return load_table(self, identifier)


RestCatalog.__init__ = open_here
RestCatalog.load_table = load_provided


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    others = [item for item in items if any(other in item.name for other in OTHERS)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


@pytest.fixture(autouse=True)
def files_take_a_while(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the client's threads are counted.

    A file of this machine is read before another thread is needed.
    """
    if not request.node.name.startswith("test_add_files_parallelized"):
        return
    read = pyiceberg.io.pyarrow.parquet_file_to_data_file

    def read_later(**given: object) -> object:
        time.sleep(0.1)
        return read(**given)

    monkeypatch.setattr(pyiceberg.io.pyarrow, "parquet_file_to_data_file", read_later)


@pytest.fixture(autouse=True)
def a_namespace_for_all() -> None:
    """`default` is there before each test: those of catalogs drop all that there is."""
    RestCatalog("here", uri=URI).create_namespace_if_not_exists("default")
