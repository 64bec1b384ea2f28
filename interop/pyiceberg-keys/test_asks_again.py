"""PyIceberg asks for another token, and then once more, when the service says 419."""

import json
import threading
import urllib.error
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pytest
from keyed import ADMIN_KEY, URL, credential
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import AuthorizationExpiredError

TOKENS = "/iceberg/v1/oauth/tokens"
EXPIRED = {
    "error": {
        "message": "The token has expired: get a new one",
        "type": "AuthenticationTimeoutException",
        "code": 419,
    }
}


class Front(ThreadingHTTPServer):
    """Passes everything on to the service, but says 419 as often as it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Passing)
        self.refusals = 0
        self.refused: list[str] = []
        self.given = 0

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/iceberg"


class Passing(BaseHTTPRequestHandler):
    server: Front
    protocol_version = "HTTP/1.1"

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.split("?")[0]
        if path == TOKENS:
            self.server.given += 1
        elif self.server.refusals > 0:
            self.server.refusals -= 1
            self.server.refused.append(f"{self.command} {path}")
            return self.answer(419, "application/json", json.dumps(EXPIRED).encode())
        kept = {"authorization", "content-type", "idempotency-key", "x-iceberg-access-delegation"}
        headers = {name: text for name, text in self.headers.items() if name.lower() in kept}
        request = urllib.request.Request(URL + self.path, method=self.command, headers=headers)
        request.data = body or None
        try:
            reply = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            reply = error
        with reply:
            media_type = reply.headers.get("Content-Type", "application/json")
            return self.answer(reply.status, media_type, reply.read())

    do_GET = do_POST = do_DELETE = do_HEAD = handle_one

    def answer(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def front():
    with Front() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_read_and_a_commit_are_sent_again_with_a_new_token(front: Front) -> None:
    catalog = RestCatalog("moraine", uri=front.uri, credential=credential(ADMIN_KEY))
    given = front.given
    namespace = f"ns_{uuid.uuid4().hex[:12]}"
    rows = pa.table({"id": pa.array([1, 2], pa.int64())})
    catalog.create_namespace(namespace)
    table = catalog.create_table((namespace, "people"), schema=rows.schema)
    front.refusals = 1
    assert catalog.list_tables(namespace) == [(namespace, "people")]
    assert front.given == given + 1
    front.refusals = 1
    table.append(rows)
    assert front.given == given + 2
    assert front.refused[0] == f"GET /iceberg/v1/namespaces/{namespace}/tables"
    assert len(front.refused) == 2
    # Once, not twice.
    assert catalog.load_table((namespace, "people")).scan().to_arrow().num_rows == 2


def test_with_a_key_as_token_there_is_no_other_to_ask_for(front: Front) -> None:
    catalog = RestCatalog("moraine", uri=front.uri, token=ADMIN_KEY)
    front.refusals = 10
    with pytest.raises(AuthorizationExpiredError):
        catalog.list_namespaces()
    assert front.given == 0
