"""Validates the documents of a dataset with other people's libraries, and reads its rows by them.

Prints `{"frictionless": rows, "mlcroissant": rows}`, each row as a list of texts.
"""

import json
import sys
import urllib.request
from importlib.resources import files
from unittest import mock

import frictionless
import mlcroissant
import requests
from datacite import schema45
from rocrate_validator import services

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


def validate_ro_crate():
    """All that RO-Crate 1.1 requires of metadata; whether its files are there is not asked."""
    context = (files("rocrate") / "data" / "ro-crate.jsonld").read_bytes()

    def from_package(_adapter, request, **_options):
        if request.url != json.loads(context)["@id"]:
            raise requests.ConnectionError(f"{request.url} is in no package")
        response = requests.Response()
        response.status_code, response.url, response.request = 200, request.url, request
        response.headers["Content-Type"] = "application/ld+json"
        response._content = context
        return response

    settings = services.ValidationSettings(
        profile_identifier="ro-crate-1.1",
        metadata_only=True,
        skip_availability_check=True,
        no_cache=True,
    )
    # The validator reads the context from the web: here the one that `rocrate` has.
    with mock.patch.object(requests.adapters.HTTPAdapter, "send", from_package):
        crate = document("ro-crate-metadata.json")
        result = services.validate_metadata_as_dict(crate, settings)
    if not result.passed():
        raise SystemExit("\n".join(issue.message for issue in result.get_issues()))


validate_ro_crate()
schema45.validator.validate(document("datacite.json"))
print(json.dumps({"frictionless": by_frictionless(), "mlcroissant": by_mlcroissant()}))
