"""Spark's catalogs of one service, by what they ask it for, and the tables in them."""

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from py4j.java_gateway import JavaObject
from pyspark.sql import SparkSession
from session import rest_catalog, start

URI = f"{os.environ['MORAINE_URL']}/iceberg"
EXTENSIONS = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
PLAIN = "plain"


def start_asking(io: str, ways: list[str], **properties: str) -> Iterator[SparkSession]:
    """A catalog for each way of asking, with hyphens as underscores, and `plain`."""
    made = {"spark.sql.extensions": EXTENSIONS}
    made |= rest_catalog(PLAIN, URI, **{"io-impl": io}, **properties)
    for way in ways:
        asked = {"io-impl": io, "header.X-Iceberg-Access-Delegation": way}
        made |= rest_catalog(way.replace("-", "_"), URI, **asked, **properties)
    session = start(made)
    yield session
    session.stop()


@dataclass(frozen=True)
class LentTable:
    spark: SparkSession
    catalog: str
    # With the namespace.
    name: str

    def do(self, statement: str) -> list[tuple]:
        """`$t` stands for the table."""
        named = statement.replace("$t", f"{self.catalog}.{self.name}")
        return [tuple(row) for row in self.spark.sql(named).collect()]

    def ids(self, where: str = "TRUE") -> list[int]:
        return sorted(id_ for (id_,) in self.do(f"SELECT id FROM $t WHERE {where}"))

    def paths(self) -> list[str]:
        return [path for (path,) in self.do("SELECT file_path FROM $t.files")]

    def java(self) -> JavaObject:
        spark3 = self.spark._jvm.org.apache.iceberg.spark.Spark3Util
        return spark3.loadIcebergTable(self.spark._jsparkSession, f"{self.catalog}.{self.name}")

    def read(self, path: str) -> int:
        """The first byte of a file, with what this table was lent."""
        stream = self.java().io().newInputFile(path).newStream()
        try:
            return stream.read()
        finally:
            stream.close()

    def write(self, path: str) -> None:
        stream = self.java().io().newOutputFile(path).createOrOverwrite()
        stream.write(120)
        stream.close()


def new_table(spark: SparkSession, way: str, columns: str = "id BIGINT, name STRING") -> LentTable:
    catalog = way.replace("-", "_")
    namespace = f"ns_{uuid.uuid4().hex[:12]}"
    spark.sql(f"CREATE NAMESPACE {catalog}.{namespace}")
    table = LentTable(spark, catalog, f"{namespace}.t")
    modes = ", ".join(f"'write.{kind}.mode' = 'merge-on-read'" for kind in ("delete", "update"))
    table.do(f"CREATE TABLE $t ({columns}) USING iceberg TBLPROPERTIES ({modes})")
    return table
