"""A service that asks for keys: the one that may do everything, and others made with it."""

import json
import os
import urllib.request
import uuid

URL = os.environ["MORAINE_URL"]
ADMIN_KEY = os.environ["MORAINE_KEY"]
WRONG_KEY = ADMIN_KEY[:-1] + ("A" if ADMIN_KEY[-1] != "A" else "B")


def v1(method: str, path: str, body: object = None, token: str = ADMIN_KEY) -> dict:
    request = urllib.request.Request(f"{URL}/v1{path}", method=method)
    request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def key_id(key: str) -> str:
    return key.split("_", 2)[1]


def credential(key: str) -> str:
    return f"{key_id(key)}:{key}"


def grant(path: str, principal: str, privilege: str) -> None:
    v1("POST", f"{path}/permissions", {"grant": [{"principal": principal, "privilege": privilege}]})


def new_namespace() -> str:
    name = f"ns_{uuid.uuid4().hex[:12]}"
    v1("POST", "/namespaces", {"name": name})
    return name
