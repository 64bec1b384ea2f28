"""Writes the blobs `pyroaring-*.dv` with CRoaring, and beside each the ranges that it holds.

Run by hand: python make-deletion-vectors.py
"""

import json
import pathlib
import struct
import zlib

from pyroaring import BitMap64

FOLDER = pathlib.Path(__file__).parent


def write(name, ranges, optimize):
    bitmap = BitMap64()
    for first, last, step in ranges:
        bitmap.update(range(first, last + 1, step))
    if optimize:
        bitmap.run_optimize()
    checked = b"\xd1\xd3\x39\x64" + bitmap.serialize()
    blob = struct.pack(">I", len(checked)) + checked + struct.pack(">I", zlib.crc32(checked))
    (FOLDER / f"{name}.dv").write_bytes(blob)
    text = json.dumps([[str(part) for part in one] for one in ranges])
    (FOLDER / f"{name}.dv.json").write_text(text + "\n")


KINDS = [(10, 1_000, 10), (65_536, 131_071, 2), (131_072, 190_000, 1)]
write("pyroaring-without-runs", KINDS, False)
write("pyroaring-all-kinds", KINDS, True)
write("pyroaring-keys", [(7, 7, 1), ((1 << 62) + 1, (1 << 62) + 9, 2)], True)
