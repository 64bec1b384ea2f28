"""Types that Spark lacks, and the void transform, written and read by Iceberg's Java library."""

import datetime
import uuid
from urllib.parse import quote

import pytest
from dumped_rows import assert_dumps_have, planned_files
from java_table import JavaTable
from written_table import URL

NANOS = [-(10**9) - 1, -1, 0, 1_709_209_800_000_000_001]
# In ascending order, each with its text in a filter.
VALUES = {
    "uuid": [uuid.UUID(int=i) for i in (1, 2**64, 2**127, 2**128 - 1)],
    "fixed[3]": [b"\x00ab", b"abc", b"abd", b"\xff\xff\xff"],
    "time": [datetime.time(0), datetime.time(0, 0, 1, 1), datetime.time(12), datetime.time.max],
    "timestamp_ns": NANOS,
}
# Not identity of `fixed`: Java 1.11 writes lengths into manifests where Avro's `fixed` has none,
# and the commit is refused.
CASES = [
    *((type_, transform) for type_ in VALUES for transform in ("bucket[4]", "void")),
    *((type_, "identity") for type_ in VALUES if type_ != "fixed[3]"),
    *(("timestamp_ns", unit) for unit in ("year", "month", "day", "hour")),
]


def text_of(value) -> str:
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    if isinstance(value, int):
        seconds, nanos = divmod(value, 10**9)
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
        return f"'{moment.isoformat()}.{nanos:09}'"
    return f"'{value}'"


def create(v1, namespace: str, name: str, type_: str, fields: list[dict]) -> None:
    columns = [("id", "int"), ("v", type_)]
    members = [
        {"id": i, "name": column, "type": each, "required": False}
        for i, (column, each) in enumerate(columns, 1)
    ]
    v1(
        f"/iceberg/v1/namespaces/{quote(namespace)}/tables",
        {
            "name": name,
            "schema": {"type": "struct", "fields": members},
            "partition-spec": {"fields": fields},
            "properties": {"format-version": "3"},
        },
    )


def java_value(jvm, value):
    if isinstance(value, int):
        return jvm.java.time.LocalDateTime.parse(text_of(value).strip("'"))
    if isinstance(value, uuid.UUID):
        return jvm.java.util.UUID.fromString(str(value))
    return value if isinstance(value, bytes) else jvm.java.time.LocalTime.parse(str(value))


@pytest.mark.parametrize(("type_", "transform"), CASES)
def test_rows_that_java_writes_are_dumped_and_never_pruned(spark, namespace, v1, type_, transform):
    create(v1, namespace, "t", type_, [{"source-id": 2, "name": "p", "transform": transform}])
    table = JavaTable(spark, f"moraine.{namespace}.t")
    values = [java_value(spark._jvm, value) for value in VALUES[type_]]
    written = [table.record([i, value]) for i, value in enumerate([*values, None])]
    paths = table.append(written)
    assert_dumps_have(URL, f"{namespace}.t", table.rows())
    for i, value in enumerate(VALUES[type_]):
        for operator, wanted in (("=", paths[i : i + 1]), ("<", paths[:i]), (">=", paths[i:-1])):
            planned = planned_files(URL, f"{namespace}.t", f"v {operator} {text_of(value)}")
            assert set(wanted) <= planned, (operator, value)
            assert operator != "=" or transform != "identity" or set(wanted) == planned, value
    assert paths[-1] in planned_files(URL, f"{namespace}.t", "v IS NULL")
    if (type_, transform) == ("timestamp_ns", "identity"):
        return  # With equality deletes Java 1.11 reads fewer rows of it than there are.
    table.delete_equal_to([written[1], written[-1]], ["v"])
    table.append(written[1:2])
    assert_dumps_have(URL, f"{namespace}.t", table.rows())
