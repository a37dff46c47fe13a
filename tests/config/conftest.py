"""A document as tomllib reads it, without a fault; each test breaks it in its own way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stratum.config.pool import read_pool
from stratum.errors import ConfigError

#: P2WPKH of 20 zero bytes: nobody's.
ADDRESS = "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202"

Document = dict[str, Any]
Complaints = Callable[..., dict[str, str]]


def make_document() -> Document:
    return {
        "network": "regtest",
        "data_dir": "data",
        "node": [{"url": "http://127.0.0.1:18443", "user": "u", "password": "p"}],
        "payout": {"scheme": "solo", "address": ADDRESS},
        "listen": [{"address": "127.0.0.1:3333"}],
    }


@pytest.fixture
def document() -> Document:
    return make_document()


@pytest.fixture
def complaints() -> Complaints:
    """Read a document that has problems; what is wrong, and its remedy, by key."""

    def read(document: Document, **environ: str) -> dict[str, str]:
        with pytest.raises(ConfigError) as caught:
            read_pool(document, environ)
        problems = caught.value.problems
        found = {problem.key: f"{problem.fault} ({problem.remedy})" for problem in problems}
        assert len(found) == len(problems), "one key has two problems"
        return found

    return read
