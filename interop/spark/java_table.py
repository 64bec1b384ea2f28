"""Iceberg's Java library, for what Spark does not write: equality deletes, and types it lacks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time

from plain_values import moment, plain
from py4j.java_gateway import JavaObject
from pyspark.sql import SparkSession

NANOS_PER_DAY = 86_400 * 10**9


@dataclass(frozen=True)
class JavaTable:
    spark: SparkSession
    # With the catalog, as in SQL.
    name: str

    @property
    def _iceberg(self):
        return self.spark._jvm.org.apache.iceberg

    def load(self) -> JavaObject:
        session = self.spark._jsparkSession
        return self._iceberg.spark.Spark3Util.loadIcebergTable(session, self.name)

    def records(self, ids: list[int]) -> Iterator[JavaObject]:
        """Records with an `id`, in the order of the ids."""
        for id_ in ids:
            where = self._iceberg.expressions.Expressions.equal("id", id_)
            found = self._iceberg.data.IcebergGenerics.read(self.load()).where(where).build()
            yield from found.iterator()
            found.close()

    def record(self, values: list) -> JavaObject:
        """A new one; Python's ints become Java's, which are no longs."""
        schema = self.load().schema()
        made = self._iceberg.data.GenericRecord.create(schema)
        for field, value in zip(schema.columns(), values, strict=True):
            made.setField(field.name(), value)
        return made

    def rows(self) -> list[dict]:
        table = self.load()
        fields = [(field.name(), field.type().toString()) for field in table.schema().columns()]
        found = self._iceberg.data.IcebergGenerics.read(table).build()
        rows = [
            {name: of_java(record.get(i), type_) for i, (name, type_) in enumerate(fields)}
            for record in found.iterator()
        ]
        found.close()
        return rows

    def append(self, records: list[JavaObject]) -> list[str]:
        """Writes a file for each record, and returns their paths."""
        table, append = self.load(), self.load().newAppend()
        factory = self._iceberg.data.GenericAppenderFactory(table.schema(), table.spec())
        paths = []
        for record in records:
            file = self._write(table, record, [record], factory.newDataWriter).toDataFile()
            paths.append(file.location())
            append.appendFile(file)
        append.commit()
        return paths

    def delete_equal(self, ids: list[int], columns: list[str]) -> None:
        """Deletes rows that are equal in the columns to those that have the ids now."""
        self.delete_equal_to(list(self.records(ids)), columns)

    def delete_equal_to(self, records: list[JavaObject], columns: list[str]) -> None:
        table, delta = self.load(), self.load().newRowDelta()
        names = self._list(columns)
        key = table.schema().select(names)
        fields = self.spark._sc._gateway.new_array(self.spark._jvm.int, len(columns))
        for i, column in enumerate(columns):
            fields[i] = table.schema().findField(column).fieldId()
        factory = self._iceberg.data.GenericAppenderFactory(
            table, table.schema(), table.spec(), self.spark._jvm.java.util.HashMap(), fields, key
        )
        projection = self._iceberg.util.StructProjection
        for record in records:
            deleted = projection.create(table.schema(), key).wrap(record)
            writer = self._write(table, record, [deleted], factory.newEqDeleteWriter)
            delta.addDeletes(writer.toDeleteFile())
        delta.commit()

    def _write(self, table, record, written, new_writer) -> JavaObject:
        """Writes a file into the partition of a record."""
        jvm, spec = self.spark._jvm, table.spec()
        parquet = self._iceberg.FileFormat.PARQUET
        files = self._iceberg.io.OutputFileFactory.builderFor(table, 1, jvm.System.nanoTime())
        partition = None
        if not spec.fields().isEmpty():
            wrapper = self._iceberg.data.InternalRecordWrapper(table.schema().asStruct())
            partition = self._iceberg.PartitionKey(spec, table.schema())
            partition.partition(wrapper.wrap(record))
        output = files.format(parquet).build().newOutputFile(spec, partition)
        writer = new_writer(output, parquet, partition)
        for each in written:
            writer.write(each)
        writer.close()
        return writer

    def _list(self, texts: list[str]) -> JavaObject:
        found = self.spark._jvm.java.util.ArrayList()
        for text in texts:
            found.add(text)
        return found


def of_java(value, type_: str):
    # What a partition says of nanoseconds comes as a number.
    if type_ == "timestamp_ns" and isinstance(value, int):
        return moment(value)
    if not isinstance(value, JavaObject):
        return plain(value)
    kind = value.getClass().getSimpleName()
    if kind.endswith("ByteBuffer"):
        return bytes(value.array())
    if kind == "LocalTime":
        return time.fromisoformat(value.toString())
    if kind == "LocalDateTime":
        day, clock = value.toLocalDate(), value.toLocalTime()
        return moment(day.toEpochDay() * NANOS_PER_DAY + clock.toNanoOfDay())
    return value.toString()
