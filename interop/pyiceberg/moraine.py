"""The two faces of the service under test, as clients of other people would use them."""

import json
import os
import urllib.error
import urllib.request

import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog

URL = os.environ["MORAINE_URL"]
# Another catalog, to tell its faults from those of the tests.
ICEBERG_URI = os.environ.get("INTEROP_CATALOG_URI", f"{URL}/iceberg")


def connect(**properties: str) -> RestCatalog:
    """Underscores of the names stand for hyphens."""
    given = {name.replace("_", "-"): value for name, value in properties.items()}
    return RestCatalog("moraine", **{"uri": ICEBERG_URI, **given})


def view_metadata_location(catalog: RestCatalog, namespace: str, view: str) -> str:
    """PyIceberg's View does not tell it."""
    address = catalog.url(f"namespaces/{namespace}/views/{view}")
    with urllib.request.urlopen(address, timeout=60) as answer:
        return json.load(answer)["metadata-location"]


class Refused(Exception):
    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status}: {body[:2000].decode(errors='replace')}")
        self.status = status


class V1:
    """The API under /v1."""

    def get(self, path: str) -> dict:
        return json.loads(self.download(path))

    def post(self, path: str, body: dict) -> dict:
        return json.loads(self._send(path, json.dumps(body).encode()))

    def upload(self, path: str, parquet: bytes) -> dict:
        return json.loads(self._send(path, parquet, "application/vnd.apache.parquet"))

    def send(self, path: str, body: bytes, content_type: str) -> dict:
        return json.loads(self._send(path, body, content_type))

    def download(self, path: str) -> bytes:
        return self._send(path, None)

    def create(self, namespace: str, name: str, **body: object) -> dict:
        return self.post("/v1/tables", {"namespace": namespace, "name": name, **body})

    def add_files(self, table: str, *paths: str) -> dict:
        return self.post(f"/v1/tables/{table}/files", {"files": [{"path": path} for path in paths]})

    def read(self, table: str, query: str = "") -> dict:
        return self.get(f"/v1/tables/{table}{query}")

    def _send(self, path: str, body: bytes | None, content_type: str = "application/json") -> bytes:
        headers = {"content-type": content_type} if body is not None else {}
        request = urllib.request.Request(URL + path, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise Refused(error.code, error.read()) from error


def rows(table: pa.Table, columns: list[str] | None = None) -> list[tuple]:
    """In an order that depends on the values alone."""
    picked = table if columns is None else table.select(columns)
    return sorted((tuple(row.values()) for row in picked.to_pylist()), key=repr)


def local_path(location: str) -> str:
    return location.removeprefix("file:").replace("///", "/")
