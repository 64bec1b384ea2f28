"""Tokens of an identity provider, for two of its clients: one that makes tables, one that reads."""

import json
import os
import urllib.parse
import urllib.request

from keyed import grant, new_namespace

ISSUER = os.environ["PROVIDER_ISSUER"]
TOKENS = f"{ISSUER}/token"
MAKER = "engine"
READER = "analyst"


def secret_of(client: str) -> str:
    return f"{client}-secret"


def principal(client: str) -> str:
    return f"user:{ISSUER}~{client}"


def token_of(client: str) -> str:
    form = {"grant_type": "client_credentials", "client_id": client}
    data = urllib.parse.urlencode({**form, "client_secret": secret_of(client)}).encode()
    with urllib.request.urlopen(TOKENS, data=data, timeout=60) as answer:
        return json.load(answer)["access_token"]


def forged(token: str) -> str:
    """The same claims, signed by nobody."""
    head, payload, signature = token.split(".")
    return ".".join([head, payload, signature[::-1]])


def namespace_of_maker() -> str:
    name = new_namespace()
    grant(f"/namespaces/{name}", principal(MAKER), "own")
    return name
