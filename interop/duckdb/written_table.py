"""A table that DuckDB reads, and Moraine's dumps and plans of it."""

import os
import re

import duckdb
from dumped_rows import assert_dumps_have, planned_files
from plain_values import plain

URL = os.environ["MORAINE_URL"]


def rows_of(engine: duckdb.DuckDBPyConnection, table: str) -> list[dict]:
    found = engine.sql(f"SELECT * FROM {table} ORDER BY 1")
    columns = list(zip(found.columns, found.types))
    return [
        {name: of_duckdb(type_, value) for (name, type_), value in zip(columns, row)}
        for row in found.fetchall()
    ]


def of_duckdb(type_, value):
    """A map of DuckDB is a dictionary, like a struct."""
    if value is None:
        return None
    if type_.id == "struct":
        return {name: of_duckdb(member, value[name]) for name, member in type_.children}
    if type_.id == "list":
        [(_, element)] = type_.children
        return [of_duckdb(element, member) for member in value]
    if type_.id == "map":
        (_, key), (_, item) = type_.children
        entries = [[of_duckdb(key, k), of_duckdb(item, v)] for k, v in value.items()]
        return sorted(entries, key=repr)
    return plain(value)


def identifier(table: str) -> str:
    """Without the catalog."""
    return table.split(".", 1)[1]


def assert_dumped(engine: duckdb.DuckDBPyConnection, table: str) -> list[dict]:
    """Returns the rows that both have."""
    rows = rows_of(engine, table)
    assert_dumps_have(URL, identifier(table), rows)
    return rows


def assert_no_row_is_pruned(
    engine: duckdb.DuckDBPyConnection, table: str, conditions: list[str]
) -> None:
    for condition in conditions:
        where = re.sub("X('[0-9a-f]*')", r"unhex(\1)", condition)
        found = engine.sql(f"SELECT DISTINCT filename FROM {table} WHERE {where}").fetchall()
        planned = planned_files(URL, identifier(table), condition)
        assert {name for (name,) in found} <= planned, condition
