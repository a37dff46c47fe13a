"""How well the load followed: error, energy overdrawn and missed, wear, times of response.

**Against what.** `wanted` is what a perfect load would take: the surplus, within cap and fleet.
`target` is `wanted` less the reserve (power.md §7.2: target = clamp(setpoint - reserve)), and it is
the target that N7 and N8 speak of: a controller that keeps its reserve makes no error. Energy is
counted against the surplus itself: what is drawn above it (N9), and what of it was not taken.

An ordered shed takes its seconds whoever steers, and N3 and N4 judge them: until 95 % of it is
gone, and for SETTLES_SECONDS at most, they are left out of the errors of N7 and N8. One second in
which all of the load is above its target would else be more than N7 allows a whole hour.

All of it from the truth of the twin, after the warm-up.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from stratum.power.brain.values import Flags, Ints
from stratum.power.simulation.run import Run
from stratum.power.twin.rigs import Floats

MINUTE = 60
WINDOW = 30  # minutes, N7
SAMPLE = 4  # seconds, N7
DAY_HOURS = 24.0

#: A fall of the target by so much of the fleet within a second is an order to shed.
SHED_BP = 1_000
#: Looked at for so long after it; and no order where the target is back up within half a minute.
SHED_SECONDS = 300
STAYS_SECONDS = 30
#: N4: what takes longer is an error.
SETTLES_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Shed:
    """An ordered reduction: seconds until 10 and 95 % of it were gone; None: never were."""

    at_s: int
    ordered_w: int
    t10_s: int | None
    t95_s: int | None


@dataclass(frozen=True, slots=True)
class Score:
    """Percentages of the fleet for errors, of energy for energies."""

    rmse_1min: float  # N7, N8: over the whole run
    rmse_1min_p95: float  # of its half hours
    rmse_1min_worst: float
    rmse_4s: float
    bias: float  # mean of power less target
    over: float  # N9: energy above the surplus, of what was taken
    missed: float  # of what could have been taken
    over_wh: int
    missed_wh: int
    taken_wh: int
    cycles_mean: float  # N15, a day
    cycles_p95: float
    cycles_max: float
    above_cap_w: int  # most that was ever drawn above the cap; 0 without one
    above_surplus_w: int
    sheds: tuple[Shed, ...]
    alarms: dict[str, int]
    speed: float
    decide_ms: float  # mean
    memory_mb: float

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def score(run: Run) -> Score:
    """Judge a run. Percentages of nothing are 0."""
    trace, fleet_w = run.trace, run.fleet.total_w
    warm = run.scenario.scored_from_s
    power, surplus = trace.power_w[warm:], trace.surplus_w[warm:]
    wanted, target = trace.wanted_w[warm:], target_of(run)[warm:]
    errors = (power - target).astype(np.float64) * (100.0 / fleet_w)

    ordered = sheds(trace.wanted_w, trace.power_w, fleet_w)
    is_judged = ~_settling(ordered, len(trace.power_w))[warm:]
    minutes = _means(errors[is_judged], MINUTE)
    windows = _rms_windows(minutes, WINDOW)
    over = np.maximum(power - np.maximum(surplus, asleep_floor(run)), 0)
    missed = np.maximum(wanted - power, 0)
    days = max(run.scenario.hours / DAY_HOURS, 1.0)  # an hour's cycles may be all of a day's
    cycles = run.wakes / days
    cap_w = run.settings.cap_w
    return Score(
        rmse_1min=_rms(minutes),
        rmse_1min_p95=float(np.percentile(windows, 95)),
        rmse_1min_worst=float(windows.max()),
        rmse_4s=_rms(errors[::SAMPLE][is_judged[::SAMPLE]]),
        bias=float(errors.mean()),
        over=_percent(over, power),
        missed=_percent(missed, wanted),
        over_wh=int(over.sum()) // 3_600,
        missed_wh=int(missed.sum()) // 3_600,
        taken_wh=int(power.sum()) // 3_600,
        cycles_mean=float(cycles.mean()),
        cycles_p95=float(np.percentile(cycles, 95)),
        cycles_max=float(cycles.max()),
        above_cap_w=0 if cap_w is None else int(np.maximum(power - cap_w, 0).max()),
        above_surplus_w=int(over.max()),
        sheds=ordered,
        alarms=run.alarms,
        speed=run.speed,
        decide_ms=run.decide_s * 1_000.0 / run.scenario.seconds,
        memory_mb=run.memory_mb,
    )


def target_of(run: Run) -> Ints:
    """What the controller should have steered to: wanted less the reserve, of the fleet."""
    reserve_w = run.fleet.total_w * run.settings.reserve_bp // 10_000
    return np.maximum(run.trace.wanted_w - reserve_w, asleep_floor(run))


def asleep_floor(run: Run) -> int:
    """No controller gets below what the farm draws with every rig asleep."""
    return max(run.settings.floor_w, run.asleep_w)


def sheds(wanted_w: Ints, power_w: Ints, fleet_w: int) -> tuple[Shed, ...]:
    """Each step of what is wanted down, and how the power followed it."""
    drops = wanted_w[:-1] - wanted_w[1:]
    found = []
    for at in np.flatnonzero(drops * 10_000 >= fleet_w * SHED_BP):
        second = int(at) + 1
        before, after = int(power_w[second]), int(wanted_w[second])
        ordered = before - after
        stays_w = after + fleet_w * SHED_BP // 20_000
        if ordered <= 0 or (wanted_w[second : second + STAYS_SECONDS] > stays_w).any():
            continue  # it was not being taken anyway, or is given back
        later = power_w[second : second + SHED_SECONDS]
        found.append(
            Shed(
                at_s=second,
                ordered_w=ordered,
                t10_s=_first(later <= before - ordered // 10),
                t95_s=_first(later <= before - ordered * 95 // 100),
            )
        )
    return tuple(found)


def _settling(found: tuple[Shed, ...], seconds: int) -> Flags:
    """Seconds in which the load is on its way down, as fast as it must be."""
    settling = np.zeros(seconds, np.bool_)
    for shed in found:
        took_s = SETTLES_SECONDS if shed.t95_s is None else min(shed.t95_s, SETTLES_SECONDS)
        settling[shed.at_s : shed.at_s + took_s] = True
    return settling


def _first(reached: Flags) -> int | None:
    where = np.flatnonzero(reached)
    return int(where[0]) if len(where) else None


def _means(values: Floats, width: int) -> Floats:
    """Of whole groups of `width`; of everything where there is not one."""
    whole = len(values) // width * width
    if not whole:
        return np.array([values.mean()])
    means: Floats = values[:whole].reshape(-1, width).mean(axis=1)
    return means


def _rms_windows(values: Floats, width: int) -> Floats:
    """Root mean square of every run of `width` values."""
    if len(values) <= width:
        return np.array([_rms(values)])
    total = np.concatenate([[0.0], np.cumsum(values * values)])
    roots: Floats = np.sqrt((total[width:] - total[:-width]) / width)
    return roots


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values * values)))


def _percent(part: Ints, whole: Ints) -> float:
    total = int(whole.sum())
    return 100.0 * int(part.sum()) / total if total else 0.0
