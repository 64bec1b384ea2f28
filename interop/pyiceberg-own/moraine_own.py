"""The catalogs that PyIceberg's own tests of catalogs run on: the service under test."""

import os
import urllib.parse

from pyiceberg.catalog.rest import RestCatalog

Levels = tuple[str, ...]


class Emptied(RestCatalog):
    """Has nothing: the tests take the same names again and again."""

    def __init__(self, name: str, uri: str) -> None:
        super().__init__(name, uri=uri)
        for namespace in sorted(self._below(()), key=len, reverse=True):
            for kind in ("tables", "views"):
                for found in self._get(f"{path_of(namespace)}/{kind}")["identifiers"]:
                    self._drop(f"{path_of(namespace)}/{kind}/{quoted(found['name'])}")
            self._drop(path_of(namespace))

    def _below(self, parent: Levels) -> list[Levels]:
        query = f"?parent={quoted(chr(31).join(parent))}" if parent else ""
        found = [tuple(levels) for levels in self._get(f"namespaces{query}")["namespaces"]]
        return [*found, *(below for levels in found for below in self._below(levels))]

    def _get(self, path: str) -> dict:
        answer = self._session.get(f"{self.uri}/v1/{path}")
        answer.raise_for_status()
        return answer.json()

    def _drop(self, path: str) -> None:
        self._session.delete(f"{self.uri}/v1/{path}").raise_for_status()


def path_of(namespace: Levels) -> str:
    # The client leaves a percent sign as it is.
    return f"namespaces/{quoted(chr(31).join(namespace))}"


def quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def moraine(name: str, _warehouse: object) -> RestCatalog:
    return Emptied(name, f"{os.environ['MORAINE_URL']}/iceberg")


FACTORIES = {"moraine": moraine}
