"""What a meter proves about the rigs behind it, and what the rigs prove about a meter.

A meter sees every watt and no rig. Three questions are asked of each one:

    dropped    is the feeder down by what the sleepers without watts of their own claim?
    flipped    does it say -x where the devices say +x? Then its wires or its register are turned
               round, and it is believed in nothing
    apart      is it further than N's 5 % from the sum of devices for 5 minutes? Then somebody is
               wrong: alarm, and the sum is recalibrated, since the meter is the better instrument

What hangs on a feeder beside rigs (fans, losses, lamps) is its base. It is measured while nothing
moves; until it has been, it is taken as 0, which blames the base on the sleepers and so proves
less than it could.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from stratum.power.brain import feeders
from stratum.power.brain.commands import Level, Reason
from stratum.power.brain.estimator import MeterView
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import Settings
from stratum.power.brain.state import NEVER, UNSURE, RigState, Status, one_of
from stratum.power.brain.values import UNKNOWN_W, Flags, Ints

#: Class 0.5 S, what settlement meters are: a change smaller than this is not seen.
METER_CLASS_BP = 50
#: Part of a claimed drop that may be missing: what rigs differ from their table.
DROP_SPREAD_BP = 1_000
#: Below this part of a feeder's rigs a ratio of meter and devices says nothing.
LEAST_LOAD_BP = 200
#: -x and +x are the same figure if they are this close.
FLIP_BP = 1_000
#: Overhead beside rigs is 2 to 10 % (`reference/power.md` §6, kappa), watts are ±5 % off.
FACTOR_BAND_BP = (8_000, 12_500)
#: With more of the load than this in doubt, the sum of devices calibrates nothing.
DOUBT_BP = 500
BASE_SHIFT = 4  # each calm second moves the base by a sixteenth

_MOVING = ~one_of(Status.RUNNING, Status.SHED, Status.DEAD)


@dataclass(frozen=True, slots=True, eq=False)
class Balance:
    """What is remembered of each feeder's meter, one row a feeder."""

    base_w: Ints
    factor_bp: Ints  # meter over sum of devices
    apart_ms: Ints  # since when they disagree, NEVER while they do not
    flipped: Flags

    @classmethod
    def fresh(cls, fleet: Fleet) -> Balance:
        count = len(fleet.feeders)
        return cls(
            base_w=np.zeros(count, np.int64),
            factor_bp=np.full(count, 10_000, np.int64),
            apart_ms=np.full(count, NEVER, np.int64),
            flipped=np.zeros(count, np.bool_),
        )


def present_w(rigs: RigState, fleet: Fleet, fresh: Flags) -> Ints:
    """What each rig takes now, as far as its own witnesses go: unknown is its worst."""
    told = fresh & (rigs.seen_w != UNKNOWN_W)
    assumed = rigs.assumed_w(fleet)
    falling = rigs.status == Status.SHEDDING
    silent = np.where(falling, rigs.worst_w(fleet), assumed)
    # A suspect's own watts are what is in doubt.
    return np.where(told & ~UNSURE[rigs.status], rigs.seen_w, silent)


def is_moving(rigs: RigState) -> Flags:
    """Rigs whose power is on its way or in doubt."""
    moving: Flags = _MOVING[rigs.status]
    return moving


def dropped(
    balance: Balance,
    meters: Sequence[MeterView],
    claims: Flags,
    working: Flags,
    present: Ints,
    rigs: RigState,
    fleet: Fleet,
) -> Flags:
    """Which of `claims`, rigs that say they sleep and show no watts, the meter confirms.

    All claims under a meter stand or fall together, and only where their drop is large enough for
    it to see. The others are taken at the least they may be drawing, so that what is left for the
    claims is not understated; one that is caught `working` draws what that takes.
    """
    views = {view.feeder: view for view in meters if believed(balance, view)}
    asleep = rigs.asleep_w(fleet)
    least = np.where(working, np.minimum(fleet.floor_w, present), np.minimum(asleep, present))
    least = np.where(is_moving(rigs), least, present)
    others_w = fleet.by_feeder(np.where(claims, 0, least))
    slept_w = fleet.by_feeder(np.where(claims, asleep, 0))
    drop_w = fleet.by_feeder(np.where(claims, rigs.full_w(fleet) - asleep, 0))

    proven = np.zeros(len(fleet.feeders), np.bool_)
    nearest = np.full(len(fleet.feeders), -1, np.int64)
    for feeder in range(len(fleet.feeders)):
        view = views.get(feeder)
        if view is None or view.power_w is None:
            nearest[feeder] = nearest[fleet.parent[feeder]] if feeder else -1
            continue
        nearest[feeder] = feeder
        seen_w = view.power_w * METER_CLASS_BP // 10_000
        slack_w = max(seen_w, int(drop_w[feeder]) * DROP_SPREAD_BP // 10_000)
        left_w = view.power_w - int(balance.base_w[feeder] + others_w[feeder] + slept_w[feeder])
        proven[feeder] = left_w <= slack_w and drop_w[feeder] >= 2 * seen_w
    meter = nearest[fleet.feeder]
    confirmed: Flags = claims & (meter >= 0) & proven[meter]
    return confirmed


def under(fleet: Fleet, feeder: int) -> Flags:
    """Rigs that hang somewhere under a feeder."""
    found: Flags = feeders.under(fleet, feeder)[fleet.feeder]
    return found


def reset(balance: Balance, feeder: int) -> Balance:
    """Forget a factor that has been put into the models behind it."""
    factor_bp = balance.factor_bp.copy()
    factor_bp[feeder] = 10_000
    return replace(balance, factor_bp=factor_bp)


def believed(balance: Balance, view: MeterView) -> bool:
    """Fresh, with a figure, and not turned round."""
    return view.fresh and view.power_w is not None and not balance.flipped[view.feeder]


def compare(
    balance: Balance,
    meters: Sequence[MeterView],
    present: Ints,
    rigs: RigState,
    settings: Settings,
    fleet: Fleet,
    now_ms: int,
) -> tuple[Balance, list[Reason], tuple[int, ...]]:
    """One second of meters against devices. Also: feeders whose disagreement has just been acted
    on, where models without watts are to be looked at anew."""
    if not meters:
        return balance, [], ()
    sums = fleet.by_feeder(present)
    rated = _rated_w(fleet)
    moving = is_moving(rigs)
    in_doubt = np.zeros_like(rated)
    if moving.any():
        in_doubt = fleet.by_feeder(np.where(moving, fleet.rated_w, 0))
    memory = _Writable(balance)
    reasons: list[Reason] = []
    acted: list[int] = []
    for view in meters:
        feeder, power_w = view.feeder, view.power_w
        if not view.fresh or power_w is None:
            memory.apart_ms[feeder] = NEVER
            continue
        devices_w, least_w = int(sums[feeder]), int(rated[feeder]) * LEAST_LOAD_BP // 10_000
        reasons += memory.look_for_flip(feeder, power_w, devices_w, least_w, fleet)
        if memory.flipped[feeder]:
            memory.apart_ms[feeder] = NEVER
            continue
        if not in_doubt[feeder]:
            step = power_w - devices_w - int(memory.base_w[feeder])
            memory.base_w[feeder] += (step + (1 << BASE_SHIFT - 1)) >> BASE_SHIFT

        told_w = devices_w * int(memory.factor_bp[feeder]) // 10_000
        apart = abs(power_w - told_w) * 10_000 > settings.disagree_bp * max(power_w, told_w)
        if not apart or max(power_w, told_w) < least_w:
            memory.apart_ms[feeder] = NEVER
        elif memory.apart_ms[feeder] == NEVER:
            memory.apart_ms[feeder] = now_ms
        elif now_ms - memory.apart_ms[feeder] >= settings.disagree_ms:
            sure = int(in_doubt[feeder]) * 10_000 <= DOUBT_BP * int(rated[feeder])
            reasons.append(memory.recalibrate(feeder, power_w, devices_w, told_w, sure, fleet))
            memory.apart_ms[feeder] = now_ms
            if sure:
                acted.append(feeder)
    return memory.frozen(), reasons, tuple(acted)


@lru_cache(maxsize=4)  # of a fleet, which never changes
def _rated_w(fleet: Fleet) -> Ints:
    return fleet.by_feeder(fleet.rated_w)


class _Writable:
    """A balance on the bench."""

    def __init__(self, balance: Balance) -> None:
        self._balance = balance
        self.base_w = balance.base_w.copy()
        self.factor_bp = balance.factor_bp.copy()
        self.apart_ms = balance.apart_ms.copy()
        self.flipped = balance.flipped.copy()

    def frozen(self) -> Balance:
        return replace(
            self._balance,
            base_w=self.base_w,
            factor_bp=self.factor_bp,
            apart_ms=self.apart_ms,
            flipped=self.flipped,
        )

    def look_for_flip(
        self, feeder: int, power_w: int, devices_w: int, least_w: int, fleet: Fleet
    ) -> list[Reason]:
        """A meter once turned round stays so until it shows a plausible load again."""
        was = bool(self.flipped[feeder])
        mirrored = abs(power_w + devices_w) * 10_000 <= FLIP_BP * devices_w
        if power_w < 0:
            self.flipped[feeder] = was or (devices_w >= least_w and mirrored)
        elif devices_w >= least_w:
            self.flipped[feeder] = was and abs(power_w - devices_w) * 4 > devices_w
        if was == self.flipped[feeder]:
            return []
        name = fleet.feeders[feeder].name
        if was:
            return [Reason("meter_sign_back", f"meter {name} is believed again", subject=name)]
        text = f"meter {name} says {power_w} W, its rigs {devices_w} W: its sign is turned round"
        return [Reason("meter_flipped", text, Level.ALARM, name)]

    def recalibrate(
        self, feeder: int, power_w: int, devices_w: int, told_w: int, sure: bool, fleet: Fleet
    ) -> Reason:
        name = fleet.feeders[feeder].name
        found_bp = power_w * 10_000 // max(devices_w, 1)
        low, high = FACTOR_BAND_BP
        if sure:
            self.factor_bp[feeder] = min(max(found_bp, low), high)
        what = "recalibrated" if sure else "too much of the load in doubt to recalibrate"
        text = f"meter {name} says {power_w} W, its rigs {told_w} W for minutes: {what}"
        return Reason("meter_disagrees", text, Level.ALARM, name)
