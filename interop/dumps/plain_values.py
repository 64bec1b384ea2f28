"""Values of any reader in one form, in which two are equal exactly if they are the same value."""

import base64
import json
import re
import struct
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pyarrow as pa

NANOS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
EPOCH = datetime(1970, 1, 1)
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:\+00:00)?")


def plain(value):
    """Of a value that an engine hands to Python; a map is a list of its pairs."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return f"float {value!r}"
    if isinstance(value, Decimal):
        return f"decimal {value:f}"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime):
        since = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return moment((since - EPOCH) // datetime.resolution * 1_000)
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    assert isinstance(value, (int, str, date, time)), type(value)
    return value


def moment(nanos: int) -> str:
    return f"at {nanos} ns"


def pairs(entries) -> list[list]:
    """The entries of a map, in an order that no reader decides."""
    return sorted(([key, value] for key, value in entries), key=repr)


def of_arrow(scalar: pa.Scalar):
    type_ = scalar.type
    if not scalar.is_valid:
        return None
    if pa.types.is_struct(type_):
        return {name: of_arrow(member) for name, member in scalar.items()}
    if pa.types.is_map(type_):
        return pairs((of_arrow(entry["key"]), of_arrow(entry["value"])) for entry in scalar.values)
    if pa.types.is_list(type_):
        return [of_arrow(element) for element in scalar.values]
    if pa.types.is_timestamp(type_):
        return moment(scalar.value * NANOS[type_.unit])
    value = scalar.as_py()
    return str(uuid.UUID(bytes=value)) if type_ == pa.binary(16) else plain(value)


def of_text(type_: pa.DataType, text: str | None):
    """Of a field of a CSV, written as docs/dump-dialects.md says."""
    if text is None:
        return None
    if pa.types.is_nested(type_):
        return of_json(type_, json.loads(text))
    if pa.types.is_boolean(type_):
        return {"true": True, "false": False}[text]
    if pa.types.is_integer(type_):
        return int(text)
    if pa.types.is_floating(type_):
        return plain(as_float(type_, float(text)))
    return of_json(type_, text)


def as_float(type_: pa.DataType, number: float) -> float:
    is_short = pa.types.is_float32(type_)
    return struct.unpack("f", struct.pack("f", number))[0] if is_short else number


def of_json(type_: pa.DataType, value):
    """Of a value of NDJSON, written as docs/dump-dialects.md says."""
    if value is None:
        return None
    if pa.types.is_struct(type_):
        assert list(value) == [member.name for member in type_]
        return {member.name: of_json(member.type, value[member.name]) for member in type_}
    if pa.types.is_map(type_):
        return map_of_json(type_, value)
    if pa.types.is_list(type_):
        return [of_json(type_.value_type, element) for element in value]
    if pa.types.is_floating(type_):
        return plain(float(value))
    if pa.types.is_decimal(type_):
        return plain(Decimal(value))
    if pa.types.is_timestamp(type_):
        return moment_of_text(value, has_zone=type_.tz is not None)
    if pa.types.is_date(type_):
        return date.fromisoformat(value)
    if pa.types.is_time(type_):
        return time.fromisoformat(value)
    if pa.types.is_fixed_size_binary(type_) and len(value) == 36:
        return str(uuid.UUID(value))
    if pa.types.is_binary(type_) or pa.types.is_fixed_size_binary(type_):
        return base64.b64decode(value, validate=True)
    return value


def map_of_json(type_: pa.MapType, value) -> list[list]:
    if isinstance(value, list):
        entries = [(of_json(type_.key_type, entry["key"]), entry["value"]) for entry in value]
    else:
        entries = [(of_text(type_.key_type, key), member) for key, member in value.items()]
    return pairs((key, of_json(type_.item_type, member)) for key, member in entries)


def moment_of_text(text: str, *, has_zone: bool) -> str:
    day, clock, fraction = MOMENT.fullmatch(text).groups()
    assert text.endswith("+00:00") == has_zone
    seconds = (datetime.fromisoformat(f"{day}T{clock}") - EPOCH) // timedelta(seconds=1)
    return moment(seconds * 1_000_000_000 + int((fraction or "").ljust(9, "0")))


def without_odd_floats(value):
    """As NDJSON shows it, and with it the nested columns of CSV."""
    if isinstance(value, str):
        return None if value in ("float nan", "float inf", "float -inf") else value
    if isinstance(value, dict):
        return {name: without_odd_floats(member) for name, member in value.items()}
    if isinstance(value, list):
        return [without_odd_floats(member) for member in value]
    return value
