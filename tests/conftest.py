"""How property tests run: how many examples, and no deadline on machines that are shared."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "baseload",
    deadline=None,  # a slow machine is no fault of the code
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "100")),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("baseload")
