"""Clients of a dump whose bytes come from the store, by a link that is signed."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

URL = os.environ["MORAINE_URL"]
ROWS = 20_000


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def send(path: str, body: bytes | None = None, media_type: str = "application/json") -> dict:
    headers = {} if body is None else {"Content-Type": media_type}
    request = urllib.request.Request(f"{URL}/v1{path}", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def link_of(url: str) -> str:
    """The first answers may be the service's own bytes, while the store joins the dump."""
    for _ in range(100):
        try:
            with urllib.request.build_opener(NoRedirect).open(url, timeout=120) as answer:
                answer.read()
        except urllib.error.HTTPError as answer:
            if answer.code == 302:
                return answer.headers["Location"]
            raise
        time.sleep(0.2)
    raise AssertionError("no link was made")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    name = f"t_{uuid.uuid4().hex[:12]}"
    columns = [{"name": "id", "type": "long"}, {"name": "name", "type": "string"}]
    send("/tables", json.dumps({"name": name, "schema": {"columns": columns}}).encode())
    rows = pa.table({"id": range(ROWS), "name": [f"é {n}" for n in range(ROWS)]})
    path = tmp_path_factory.mktemp("uploads") / "rows.parquet"
    pq.write_table(rows, path)
    send(f"/tables/{name}/files", path.read_bytes(), "application/vnd.apache.parquet")
    return name


@pytest.fixture(scope="module", params=["csv", "parquet"])
def dump(request: pytest.FixtureRequest, table: str) -> tuple[str, str]:
    """Where it is by name, and its format: a link leads there from then on."""
    url = f"{URL}/v1/tables/{table}/{table}.{request.param}"
    host = urlsplit(link_of(pinned(url))).netloc
    assert host != urlsplit(URL).netloc
    return url, request.param


def pinned(url: str) -> str:
    """The permanent address that the name redirects to."""
    try:
        urllib.request.build_opener(NoRedirect).open(url, timeout=120)
    except urllib.error.HTTPError as answer:
        location = answer.headers["Location"]
        return location if location.startswith("http") else URL + location
    raise AssertionError(f"{url} does not redirect")


def read(path: Path, form: str) -> pd.DataFrame:
    return pd.read_csv(path) if form == "csv" else pd.read_parquet(path)


def check(rows: pd.DataFrame) -> None:
    assert len(rows) == ROWS
    assert sorted(rows["id"])[-1] == ROWS - 1
    assert rows.set_index("id")["name"][7] == "é 7"


def test_a_link_names_the_file_and_is_for_reading_only(dump: tuple[str, str]) -> None:
    url, form = dump
    link = link_of(pinned(url))
    with urllib.request.urlopen(link, timeout=60) as answer:
        assert f".{form}" in answer.headers["Content-Disposition"]
        assert len(answer.read()) > 1_000
    for method in ("PUT", "DELETE"):
        request = urllib.request.Request(link, method=method, data=b"x")
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request, timeout=60)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(link.replace("Signature=", "Signature=0"), timeout=60)


def test_pandas(dump: tuple[str, str]) -> None:
    url, form = dump
    check(pd.read_csv(url) if form == "csv" else pd.read_parquet(url))


def test_polars(dump: tuple[str, str]) -> None:
    url, form = dump
    rows = pl.read_csv(url) if form == "csv" else pl.read_parquet(url)
    check(pd.DataFrame(rows.to_dict(as_series=False)))


@pytest.mark.parametrize("program", ["curl", "wget"])
def test_programs(dump: tuple[str, str], program: str, tmp_path: Path) -> None:
    url, form = dump
    target = tmp_path / "rows"
    words = {
        "curl": ["curl", "-sfL", "-o", str(target), url],
        "wget": ["wget", "-q", "-O", str(target), url],
    }
    subprocess.run(words[program], check=True, timeout=120)
    check(read(target, form))


@pytest.mark.parametrize("program", ["curl", "wget"])
def test_programs_resume(dump: tuple[str, str], program: str, tmp_path: Path) -> None:
    url, form = dump
    address, target = pinned(url), tmp_path / "rows"
    with urllib.request.urlopen(link_of(address), timeout=60) as answer:
        whole = answer.read()
    target.write_bytes(whole[: len(whole) // 3])
    words = {
        "curl": ["curl", "-sfL", "-C", "-", "-o", str(target), address],
        "wget": ["wget", "-q", "-c", "-O", str(target), address],
    }
    subprocess.run(words[program], check=True, timeout=120)
    assert target.read_bytes() == whole
    check(read(target, form))
