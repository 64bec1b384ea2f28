"""Validates the documents of a dataset with other people's libraries, and reads its rows by them.

Prints `{"frictionless": rows, "mlcroissant": rows}`, each row as a list of texts.
"""

import json
import sys
import urllib.request

import frictionless
import mlcroissant
from datacite import schema45

BASE = sys.argv[1]


def document(name):
    with urllib.request.urlopen(f"{BASE}/{name}") as reply:
        return json.load(reply)


def text(value):
    if isinstance(value, bytes):
        return value.decode()
    return None if value is None else str(value)


def by_frictionless():
    package = frictionless.Package(f"{BASE}/datapackage.json")
    report = package.validate()
    if not report.valid:
        raise SystemExit(str(report.flatten(["type", "message"])))
    return [
        [text(cell) for cell in row.to_dict().values()] for row in package.resources[0].read_rows()
    ]


def by_mlcroissant():
    dataset = mlcroissant.Dataset(jsonld=f"{BASE}/croissant.json")
    issues = dataset.metadata.ctx.issues
    if issues.errors:
        raise SystemExit(issues.report())
    return [[text(cell) for cell in row.values()] for row in dataset.records(record_set="rows")]


schema45.validator.validate(document("datacite.json"))
print(json.dumps({"frictionless": by_frictionless(), "mlcroissant": by_mlcroissant()}))
