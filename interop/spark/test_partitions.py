"""Tables that Spark writes, partitioned by every type and transform that it has."""

import pytest
from written_table import Condition, same

MOMENTS = [
    "1900-01-01 00:00:00",
    "1969-12-31 22:59:59.999999",
    "1969-12-31 23:59:59.999999",
    "1970-01-01 00:00:00",
    "2024-02-29 12:30:00.000001",
    "2024-03-01 00:00:00",
]
# Of each row; floor, sign, path and bounds are easily wrong for these. Two texts have one bound.
VALUES = {
    "BOOLEAN": ["false", "true", "false", "true", "true", "false"],
    "INT": ["-2147483648", "-1", "0", "2", "7", "2147483647"],
    "BIGINT": ["-9223372036854775808", "-1", "0", "2", "3000000000", "9223372036854775807"],
    "FLOAT": ["-Infinity", "-1.5", "0.0", "0.1", "Infinity", "NaN"],
    "DOUBLE": ["NaN", "-Infinity", "-1.5", "0.0", "0.1", "Infinity"],
    "DECIMAL(4, 2)": ["-99.99", "-0.01", "0.00", "0.02", "1.50", "99.99"],
    "DECIMAL(18, 4)": ["-1.5555", "-0.0001", "0.0000", "0.0002", "3000000000.0001", "-9e13"],
    "DECIMAL(38, 3)": ["-1.555", "-0.001", "0.000", "0.002", "9" * 35 + ".999", "1.000"],
    "STRING": ["", "a/b=c d%", "ab", "żółć😀", "x" * 40, "x" * 39 + "y"],
    "BINARY": ["", "00FF", "6162", "616263", "78" * 40, "FF"],
    "DATE": ["0001-01-01", "1969-12-31", "1970-01-01", "2024-02-29", "2024-03-01", "9999-12-31"],
    "TIMESTAMP": MOMENTS,
    "TIMESTAMP_NTZ": MOMENTS,
}
NUMBERS = ("INT", "BIGINT", "DECIMAL(4, 2)", "DECIMAL(18, 4)", "DECIMAL(38, 3)")
FLOATS = ("FLOAT", "DOUBLE")
COLUMNS = {type_: f"c{i}" for i, type_ in enumerate(VALUES)}
DATED = ("DATE", "TIMESTAMP", "TIMESTAMP_NTZ")
# Types by transform; the years of a timestamp are those of its day.
PARTITIONED = {
    "{}": tuple(VALUES),
    "bucket(4, {})": tuple(type_ for type_ in VALUES if type_ not in ("BOOLEAN", *FLOATS)),
    "truncate(3, {})": (*NUMBERS, "STRING", "BINARY"),
    "years({})": DATED,
    "months({})": DATED,
    "days({})": DATED,
    "hours({})": DATED[1:],
}


def literal(type_: str, text: str) -> Condition:
    if type_ == "BINARY":
        return same(f"X'{text}'")
    is_bare = type_ in ("BOOLEAN", *NUMBERS) or (type_ in FLOATS and text[-1].isdigit())
    return Condition(text if is_bare else f"'{text}'", f"CAST('{text}' AS {type_})")


def conditions_of(type_: str) -> list[Condition]:
    column = COLUMNS[type_]
    literals = [literal(type_, text) for text in dict.fromkeys(VALUES[type_])]
    compared = [
        Condition(f"{column} {operator} {value.moraine}", f"{column} {operator} {value.spark}")
        for value in literals
        for operator in ("=", "<>", "<", ">=")
    ]
    first, last = literals[0], literals[-1]
    either = Condition(
        f"{column} IN ({first.moraine}, {last.moraine})",
        f"{column} IN ({first.spark}, {last.spark})",
    )
    neither = Condition(f"NOT ({either.moraine})", f"NOT ({either.spark})")
    nulls = [same(f"{column} IS NULL"), same(f"{column} IS NOT NULL")]
    likes = [same(f"{column} LIKE 'a%'"), same(f"{column} NOT LIKE 'x%'")]
    return [*compared, either, neither, *nulls, *(likes if type_ == "STRING" else [])]


def fill(table, types=tuple(VALUES)) -> None:
    """A row for each value, one of nulls, and others of the same partitions that are deleted."""
    columns = [[literal(type_, text).spark for text in VALUES[type_]] for type_ in types]
    rows = [*zip(*columns), ["NULL"] * len(columns)]
    written = [f"({i}, {', '.join(row)})" for i, row in enumerate(rows)]
    again = [f"({i + 100}, {', '.join(row)})" for i, row in enumerate(rows)]
    table.do(f"INSERT INTO $t VALUES {', '.join(written + again)}")
    table.do("DELETE FROM $t WHERE id >= 100")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("transform", PARTITIONED)
def test_rows_of_a_partitioned_table_are_dumped_and_never_pruned(make, transform, version):
    columns = ", ".join(f"{name} {type_}" for type_, name in COLUMNS.items())
    fields = ", ".join(transform.format(COLUMNS[type_]) for type_ in PARTITIONED[transform])
    table = make(f"id BIGINT, {columns}", f"PARTITIONED BY ({fields})", version)
    fill(table)
    assert len(table.assert_dumped()) == 7
    conditions = [condition for type_ in VALUES for condition in conditions_of(type_)]
    found = table.assert_no_row_is_pruned(conditions)
    for condition, (files, planned) in zip(conditions, found):
        if " = " in condition.moraine and transform == "{}":
            assert planned == files, condition.moraine
