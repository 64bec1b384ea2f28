"""The rows of a table's dumps, read by pyarrow and Python's json, which know nothing of Moraine."""

import io
import itertools
import json
import urllib.parse
import urllib.request

import plain_values
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

FORMATS = ("arrow", "parquet", "csv", "ndjson")


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=120) as answer:
        return answer.read()


def assert_dumps_have(base_url: str, table: str, rows: list[dict], query: str = "") -> None:
    """In every format; rows and dumps are compared in the order of the first column."""
    schema = None
    for format_ in FORMATS:
        body = fetch(f"{base_url}/v1/tables/{table}/dump?format={format_}{query}")
        if format_ == "arrow":
            schema = pa.ipc.open_stream(body).schema
        wanted, found = in_order(as_shown(rows, format_)), in_order(READERS[format_](body, schema))
        pairs = itertools.zip_longest(found, wanted)
        differing = [f"dumped: {row}\nread: {other}" for row, other in pairs if row != other]
        assert not differing, "\n".join([format_, *differing])


def in_order(rows: list[dict]) -> list[dict]:
    """By their texts: numbers and nulls of a first column have no order of their own."""
    return sorted(rows, key=lambda row: repr(list(row.values())))


def as_shown(rows: list[dict], format_: str) -> list[dict]:
    if format_ not in ("csv", "ndjson"):
        return rows

    def shown(value):
        is_json = format_ == "ndjson" or isinstance(value, (dict, list))
        return plain_values.without_odd_floats(value) if is_json else value

    return [{name: shown(value) for name, value in row.items()} for row in rows]


def rows_of(table: pa.Table) -> list[dict]:
    columns = [[plain_values.of_arrow(value) for value in column] for column in table.columns]
    return [dict(zip(table.column_names, row)) for row in zip(*columns)]


def read_arrow(body: bytes, _: pa.Schema) -> list[dict]:
    return rows_of(pa.ipc.open_stream(body).read_all())


def read_parquet(body: bytes, schema: pa.Schema) -> list[dict]:
    table = pa.parquet.read_table(io.BytesIO(body))
    assert table.column_names == schema.names
    return rows_of(table)


def read_csv(body: bytes, schema: pa.Schema) -> list[dict]:
    table = pa.csv.read_csv(
        io.BytesIO(body),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: pa.string() for name in schema.names},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    assert table.column_names == schema.names
    types = {field.name: field.type for field in schema}
    return [
        {name: plain_values.of_text(types[name], text) for name, text in row.items()}
        for row in table.to_pylist()
    ]


def read_ndjson(body: bytes, schema: pa.Schema) -> list[dict]:
    rows = [json.loads(line) for line in body.decode().split("\n")[:-1]]
    assert all(list(row) == schema.names for row in rows)
    return [
        {field.name: plain_values.of_json(field.type, row[field.name]) for field in schema}
        for row in rows
    ]


READERS = {"arrow": read_arrow, "parquet": read_parquet, "csv": read_csv, "ndjson": read_ndjson}


def planned_files(base_url: str, table: str, condition: str) -> set[str]:
    """Paths of the data files that may have rows of a filter."""
    query = urllib.parse.urlencode({"filter": condition})
    answer = json.loads(fetch(f"{base_url}/v1/tables/{table}?{query}"))
    return {file["path"] for file in answer["data_files"]}
