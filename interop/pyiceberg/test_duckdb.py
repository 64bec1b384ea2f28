"""DuckDB's Iceberg extension is not in its wheel: it is fetched from DuckDB's own site."""

import duckdb
import pytest
from moraine import ICEBERG_URI


@pytest.fixture
def engine():
    connection = duckdb.connect()
    try:
        connection.sql("INSTALL iceberg")
        connection.sql("LOAD iceberg")
    except duckdb.Error as error:
        pytest.skip(f"DuckDB cannot fetch its extension: {str(error).splitlines()[0][:120]}")
    return connection


def test_duckdb_reads_a_table_through_the_catalog(engine, catalog, namespace, people):
    catalog.create_table((namespace, "people"), people.schema).append(people)
    engine.sql(
        f"ATTACH '' AS moraine (TYPE iceberg, ENDPOINT '{ICEBERG_URI}', AUTHORIZATION_TYPE 'none')"
    )
    found = engine.sql(f"SELECT id FROM moraine.{namespace}.people ORDER BY id").fetchall()
    assert found == [(1,), (2,), (3,), (4,)]
