"""A table that Spark reads, and Moraine's dumps and plans of it."""

import os
from dataclasses import dataclass

from dumped_rows import assert_dumps_have, planned_files
from plain_values import pairs, plain
from pyspark.sql import Row, SparkSession

URL = os.environ["MORAINE_URL"]


def of_spark(value):
    if isinstance(value, Row):
        return {name: of_spark(value[name]) for name in value.__fields__}
    if isinstance(value, dict):
        return pairs((of_spark(key), of_spark(member)) for key, member in value.items())
    if isinstance(value, list):
        return [of_spark(member) for member in value]
    return plain(value)


@dataclass(frozen=True)
class Condition:
    """One condition in both dialects of SQL."""

    moraine: str
    spark: str


def same(sql: str) -> Condition:
    return Condition(sql, sql)


@dataclass(frozen=True)
class WrittenTable:
    spark: SparkSession
    namespace: str
    name: str

    @property
    def sql(self) -> str:
        return f"moraine.{self.namespace}.{self.name}"

    @property
    def identifier(self) -> str:
        return f"{self.namespace}.{self.name}"

    def do(self, statement: str) -> None:
        self.spark.sql(statement.replace("$t", self.sql))

    def rows(self) -> list[dict]:
        return [of_spark(row) for row in self.spark.sql(f"SELECT * FROM {self.sql}").collect()]

    def assert_dumped(self) -> list[dict]:
        """Returns the rows that both have."""
        rows = self.rows()
        assert_dumps_have(URL, self.identifier, rows)
        return rows

    def files_with(self, conditions: list[Condition]) -> list[set[str]]:
        """Where Spark finds the rows of each condition."""
        columns = ", ".join(f"({condition.spark}) IS TRUE" for condition in conditions)
        found = self.spark.sql(f"SELECT _file, {columns} FROM {self.sql}").collect()
        return [{row[0] for row in found if row[i + 1]} for i in range(len(conditions))]

    def assert_no_row_is_pruned(
        self, conditions: list[Condition]
    ) -> list[tuple[set[str], set[str]]]:
        """Returns for each condition the files with its rows, and those that are planned."""
        found = []
        for condition, files in zip(conditions, self.files_with(conditions), strict=True):
            planned = planned_files(URL, self.identifier, condition.moraine)
            assert files <= planned, condition.moraine
            found.append((files, planned))
        return found
