"""How property tests run: how many examples, and no deadline on machines that are shared."""

import os

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

settings.register_profile(
    "baseload",
    deadline=None,  # a slow machine is no fault of the code
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "100")),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("baseload")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every property test is one that `make fuzz` runs for longer."""
    for item in items:
        if isinstance(item, pytest.Function) and is_hypothesis_test(item.obj):
            item.add_marker("fuzz")
