"""Every test of hashing runs on every back end of this machine, hashlib included."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hashing import native, reference

VECTORS = Path(__file__).parent.parent / "data" / "wire_vectors.json"


@pytest.fixture(scope="module", params=["hashlib", *native.backends()])
def core(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """The module under test: reference, or native with one of its back ends."""
    before = native.backend()
    module = reference if request.param == "hashlib" else native
    module.use(request.param)
    yield module
    native.use(before)


@pytest.fixture(scope="session")
def vectors() -> dict[str, list[dict[str, Any]]]:
    """Real blocks, headers and shares; reference/wire.md says where each is from."""
    loaded: dict[str, list[dict[str, Any]]] = json.loads(VECTORS.read_text())
    return loaded
