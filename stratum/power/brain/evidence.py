"""What the witnesses together say of each rig this second: at most one thing, the strongest.

Nothing here decides; `verdicts` holds what follows from the evidence and the time. Where two
witnesses contradict each other, work goes before watts and watts before words: a share cannot be
forged, a sensor can be broken, and a word is often read from a configuration file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from stratum.power.brain import balance, learning, witnesses
from stratum.power.brain.balance import Balance
from stratum.power.brain.estimator import MeterView
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import MINUTE, Settings
from stratum.power.brain.state import NEVER, RigState, Status, one_of
from stratum.power.brain.values import UNKNOWN_W, Flags, Ints
from stratum.power.brain.witnesses import GroupVerdict, Work

#: A caught rig that was quiet for a fifth of what clears it is given the rest before more is tried.
TRIAL = 5
#: When nobody's work came for so long, it is the witness that is gone, not the rigs.
WITNESS_LOST_MS = MINUTE


_SHOULD_RUN = one_of(Status.RUNNING, Status.WAKING, Status.DEAD)


class Evidence(IntEnum):
    """Columns of the table in `verdicts`, which says what each one means."""

    NONE = 0
    WORKS = 1
    RUNS = 2
    ASLEEP = 3
    IDLE = 4
    SILENT = 5


@dataclass(frozen=True, slots=True)
class Heard:
    """What is remembered of words, one row a rig; see `verification.VerificationState`."""

    slept_ms: Ints
    outlet_off_ms: Ints
    outlet_seen_ms: Ints
    caught: Flags
    parked: Flags
    supplied_ms: int


@dataclass(frozen=True, slots=True)
class Weighed:
    """One second's evidence."""

    evidence: Ints
    lied: Flags  # says it sleeps, and its work was never missing for longer than luck allows
    caught: Flags  # says it sleeps, and worked within that time
    on_trial: Flags  # may sleep: not believed yet, and another command would prove nothing
    elsewhere: Flags  # draws power, does no work here
    groups: tuple[GroupVerdict, ...]
    is_work_lost: bool  # nobody's work comes although rigs run


def weigh(
    rigs: RigState,
    heard: Heard,
    work: Work,
    memory: Balance,
    meters: Sequence[MeterView],
    settings: Settings,
    fleet: Fleet,
    now_ms: int,
) -> Weighed:
    """Ask every witness about every rig."""
    status, seen_w = rigs.status, rigs.seen_w
    t95_ms = rigs.due_ms - settings.verify_margin_ms
    is_over = now_ms >= t95_ms
    should_run = _SHOULD_RUN[status] | ((status == Status.UNKNOWN) & (rigs.ordered_w != 0))
    shared = witnesses.is_shared(fleet)[fleet.group]
    quiet_ms = witnesses.quiet_ms(work, rigs, fleet)
    since_work_ms = now_ms - rigs.worked_ms

    # Words and watts: only those spoken after the order, and within the last minute.
    is_off = heard.outlet_seen_ms > rigs.ordered_ms
    is_off &= now_ms - heard.outlet_seen_ms <= settings.telemetry_age_ms
    is_fresh = now_ms - rigs.seen_ms <= settings.telemetry_age_ms
    answered = is_fresh & (rigs.seen_ms > rigs.ordered_ms)
    # What it said before its outlet opened is over; a word of -1 there is the outlet's own.
    answered &= ~is_off | (rigs.seen_ms >= heard.outlet_off_ms)
    told = answered & (seen_w != UNKNOWN_W)
    low = told & (seen_w <= learning.idle_limit_w(fleet))
    high = told & ~low
    # Where a firmware has no word for it, its watts are its word.
    says_asleep = (answered & (rigs.hashing == 0)) | (low & (rigs.hashing < 0)) | is_off
    says_hashing = answered & (rigs.hashing == 1)

    # Work against the claim to sleep: after t95, and after the rig itself says it slept, so that
    # one that slept late is believed late; where it shows no watts its word may be but what it was
    # told, and t95 runs from there. Who was caught must be quiet for long.
    slept_ms = np.where(is_off, heard.outlet_off_ms, heard.slept_ms)
    grace_ms = np.where(told | is_off, 0, t95_ms - rigs.ordered_ms)
    from_ms = np.maximum(t95_ms, slept_ms + np.maximum(grace_ms, settings.verify_margin_ms))
    against = ((rigs.worked_ms > from_ms) | heard.caught) & (since_work_ms <= quiet_ms) & ~shared
    # A session that is refused brings no work: the silence of a parked liar clears it of nothing.
    against |= heard.caught & heard.parked & ~is_off
    caught = against & says_asleep & ~should_run & (heard.caught | (slept_ms != NEVER))
    groups: tuple[GroupVerdict, ...] = ()
    if shared.any():
        sleeping = ~witnesses.may_work(rigs, now_ms, settings.verify_margin_ms)
        suspects, groups = _suspects(rigs, heard, work, sleeping, told, fleet)
        caught |= suspects
        against |= suspects
    never_quiet = (rigs.worked_ms - from_ms <= quiet_ms) | shared
    lied = caught & never_quiet & ~says_hashing & ~high

    # Work for the claim to run: recent, and not older than its own word that it sleeps.
    recent = since_work_ms <= quiet_ms
    recent &= (rigs.worked_ms > rigs.ordered_ms) | (status != Status.WAKING)
    recent &= ~says_asleep | against
    recent &= ~shared | (status == Status.RUNNING)

    is_lost = now_ms - max(work.last_ms, heard.supplied_ms) > WITNESS_LOST_MS
    awaited_ms = now_ms - np.maximum(rigs.worked_ms, np.maximum(rigs.due_ms, heard.supplied_ms))
    no_work = (awaited_ms > quiet_ms) & ~shared & (not is_lost)
    idle = low | (answered & ~told & ((rigs.hashing == 0) | no_work))
    idle &= should_run & ~recent

    claims = says_asleep & ~told & ~against & is_over
    claims &= (~should_run & (status != Status.SHED)) | (rigs.ordered_w == UNKNOWN_W)
    dropped = np.zeros_like(claims)
    if claims.any():
        present = balance.present_w(rigs, fleet, is_fresh)
        dropped = balance.dropped(memory, meters, claims, against, present, rigs, fleet)
    asleep = says_asleep & ~against & is_over & (low | dropped)

    at_level = seen_w >= rigs.ordered_w * learning.AWAKE_BP // 10_000  # no longer preheating
    awake = is_over | (high & at_level)
    runs = (says_hashing | high) & ~(should_run & low) & (awake | (status != Status.WAKING))
    works = (should_run & recent & awake) | (~should_run & against)
    # In a gap as long as one share in fifty leaves by luck: time will tell.
    fell_silent = since_work_ms * TRIAL > quiet_ms
    evidence = np.zeros(len(fleet), np.int64)  # Evidence.NONE; the strongest is written last
    for kind, found in (
        (Evidence.SILENT, ~is_fresh & ~recent),
        (Evidence.IDLE, idle),
        (Evidence.ASLEEP, asleep),
        (Evidence.RUNS, runs),
        (Evidence.WORKS, works),
    ):
        evidence[found] = kind
    return Weighed(
        evidence=evidence,
        lied=lied,
        caught=caught,
        on_trial=(claims & ~dropped) | (caught & fell_silent & ~heard.parked & ~shared),
        elsewhere=no_work & high & at_level & (status == Status.RUNNING),
        groups=groups,
        is_work_lost=is_lost and bool((status == Status.RUNNING).any()),
    )


def _suspects(
    rigs: RigState,
    heard: Heard,
    work: Work,
    sleeping: Flags,
    told: Flags,
    fleet: Fleet,
) -> tuple[Flags, tuple[GroupVerdict, ...]]:
    """Rigs of shared names that stand for the work nobody of the name should have done.

    Which of them did it, work cannot tell: those without watts of their own come first, then those
    that were ordered last. A wrong suspect sleeps anyway, so trying it again costs nothing.
    """
    shared = witnesses.is_shared(fleet)
    verdicts, calm = witnesses.judge_groups(work, fleet)
    suspects = heard.caught & (shared & ~calm)[fleet.group]
    for verdict in verdicts:
        if not verdict.sleepers_working:
            continue
        rows = np.flatnonzero((fleet.group == verdict.group) & sleeping & ~suspects)
        order = np.lexsort((rows, -rigs.ordered_ms[rows], told[rows]))
        suspects[rows[order[: verdict.sleepers_working]]] = True
    return suspects, verdicts
