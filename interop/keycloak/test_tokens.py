"""People and engines sign in with tokens of Keycloak, and have what their roles are granted."""

import base64
import json
import os
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pyarrow as pa
import pytest
from keyed import URL, grant, v1
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import ForbiddenError

ISSUER = os.environ["KEYCLOAK_ISSUER"]
TOKENS = f"{ISSUER}/protocol/openid-connect/token"
ROWS = pa.table({"id": pa.array([1, 2], pa.int64())})


def token_of(client: str, **form: str) -> str:
    given = {"client_id": client, "client_secret": f"{client}-secret", **form}
    data = urllib.parse.urlencode(given).encode()
    with urllib.request.urlopen(TOKENS, data=data, timeout=60) as answer:
        return json.load(answer)["access_token"]


def token_of_ada() -> str:
    return token_of("engine", grant_type="password", username="ada", password="ada-password")


def claims(token: str) -> dict:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@pytest.fixture
def namespace() -> str:
    name = f"ns_{uuid.uuid4().hex[:12]}"
    v1("POST", "/namespaces", {"name": name})
    return name


def test_a_person_is_told_by_subject_and_roles() -> None:
    token = token_of_ada()
    me = v1("GET", "/me", token=token)
    assert me["principal"] == f"user:{ISSUER}~{claims(token)['sub']}"
    assert "role:analyst" in me["principals"]
    assert "role:engineer" not in me["principals"]


def test_roles_of_the_realm_are_granted_privileges(namespace: str) -> None:
    token = token_of_ada()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        v1("GET", f"/namespaces/{namespace}", token=token)
    grant(f"/namespaces/{namespace}", "role:analyst", "describe")
    assert v1("GET", f"/namespaces/{namespace}", token=token)["name"] == namespace


def test_a_token_for_others_is_refused() -> None:
    token = token_of("elsewhere", grant_type="client_credentials")
    with pytest.raises(urllib.error.HTTPError) as refused:
        v1("GET", "/me", token=token)
    problem = json.load(refused.value)
    assert (refused.value.code, problem["type"]) == (401, "/problems/credential-invalid")
    assert "MORAINE_OIDC_AUDIENCE" in problem["detail"]


def test_a_changed_token_is_refused() -> None:
    head, _, signature = token_of_ada().split(".")
    forged = base64.urlsafe_b64encode(json.dumps({"sub": "root", "iss": ISSUER}).encode())
    with pytest.raises(urllib.error.HTTPError, match="401"):
        v1("GET", "/me", token=f"{head}.{forged.decode().rstrip('=')}.{signature}")


def test_pyiceberg_signs_in_at_the_provider(namespace: str) -> None:
    grant(f"/namespaces/{namespace}", "role:engineer", "own")
    engine = RestCatalog(
        "moraine",
        uri=f"{URL}/iceberg",
        credential="engine:engine-secret",
        **{"oauth2-server-uri": TOKENS, "scope": "openid"},
    )
    table = engine.create_table((namespace, "t"), schema=ROWS.schema)
    table.append(ROWS)
    assert engine.load_table((namespace, "t")).scan().to_arrow().num_rows == 2
    grant(f"/namespaces/{namespace}", "role:analyst", "select")
    reader = RestCatalog("moraine", uri=f"{URL}/iceberg", token=token_of_ada())
    read = reader.load_table((namespace, "t"))
    assert read.scan().to_arrow().num_rows == 2
    with pytest.raises(ForbiddenError):
        read.append(ROWS)


def test_the_configuration_names_where_tokens_are_given() -> None:
    request = urllib.request.Request(f"{URL}/iceberg/v1/config")
    request.add_header("Authorization", f"Bearer {token_of_ada()}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert json.load(answer)["defaults"]["oauth2-server-uri"] == TOKENS
