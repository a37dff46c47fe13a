"""When so many devices fail within a minute that it is not the devices (N26).

A device fails when its driver could not deliver a command, or when it was heard before and goes
silent. Each failure counts for a minute: a storm ends by itself, also where the rigs stay lost
(a feeder that is down must not keep the rest of the site from waking).
"""

from __future__ import annotations

import numpy as np

from stratum.power.brain.commands import Level, Reason
from stratum.power.brain.settings import MINUTE, Settings
from stratum.power.brain.state import RigState
from stratum.power.brain.values import OUTCOMES, Flags, Ints, Outcome, Results

STORM_MS = MINUTE
LEAST = 3  # one rig of a small farm is no storm

#: A used-up budget of writes is the driver keeping its word, not a device that fails.
_DEVICE_FAILED = np.array(
    [outcome in (Outcome.REFUSED, Outcome.UNREACHABLE) for outcome in OUTCOMES], np.bool_
)
_UNDELIVERED = np.array([outcome is not Outcome.SENT for outcome in OUTCOMES], np.bool_)
_SPENT = OUTCOMES.index(Outcome.BUDGET)


def failed(results: Results) -> Ints:
    rows: Ints = results.rig[_DEVICE_FAILED[results.outcome]]
    return rows


def undelivered(results: Results) -> Ints:
    """Rigs that were not reached, for whatever cause."""
    rows: Ints = results.rig[_UNDELIVERED[results.outcome]]
    return rows


def spent(results: Results) -> Ints:
    """Rigs whose driver will write no more today."""
    rows: Ints = results.rig[results.outcome == _SPENT]
    return rows


def watch(
    failed_ms: Ints,
    cut: Flags,
    rigs: RigState,
    settings: Settings,
    now_ms: int,
    *,
    was_storm: bool,
) -> tuple[bool, tuple[Reason, ...]]:
    """Is there a storm, and is that news. Rigs that are `cut` are silent by our own doing."""
    refused: Flags = now_ms - failed_ms <= STORM_MS
    silent_for_ms = now_ms - rigs.seen_ms - settings.telemetry_age_ms
    lost = (silent_for_ms > 0) & (silent_for_ms <= STORM_MS) & ~cut
    count, devices = int((refused | lost).sum()), len(failed_ms)

    is_storm = count >= LEAST and count * 10_000 >= devices * settings.storm_bp
    if is_storm == was_storm:
        return is_storm, ()
    if not is_storm:
        return False, (Reason("storm_over", "devices answer again"),)
    text = f"{count} of {devices} devices failed within a minute: no restores"
    return True, (Reason("storm", text, Level.ALARM),)
