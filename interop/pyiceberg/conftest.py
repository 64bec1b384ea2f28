import os
import uuid
from pathlib import Path

import pyarrow as pa
import pytest
from moraine import V1, connect
from pyiceberg.catalog.rest import RestCatalog


@pytest.fixture(scope="session")
def catalog() -> RestCatalog:
    return connect()


@pytest.fixture(scope="session")
def v1() -> V1:
    return V1()


@pytest.fixture
def namespace(catalog: RestCatalog) -> str:
    """A new one for each test."""
    name = f"ns_{uuid.uuid4().hex[:12]}"
    catalog.create_namespace(name)
    return name


@pytest.fixture
def folder() -> Path:
    """One from which the service may register files."""
    made = Path(os.environ["MORAINE_DATA"]) / uuid.uuid4().hex
    made.mkdir()
    return made


@pytest.fixture
def people() -> pa.Table:
    return pa.table(
        {
            "id": pa.array([1, 2, 3, 4], pa.int64()),
            "name": pa.array(["Ada", "Grace", None, 'Żółć, "q"\n'], pa.string()),
            "height": pa.array([1.65, 1.7, None, -0.5], pa.float64()),
        }
    )
