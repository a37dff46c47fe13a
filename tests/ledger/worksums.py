"""Rows of a fold, and logs of them that Hypothesis makes up."""

from __future__ import annotations

from hypothesis import strategies as st

from hashing.values import ShareSum
from stratum.ledger.effects import (
    CAUSES,
    AccountAdded,
    BlockKept,
    Effect,
    FateKept,
    Rejects,
    WorkerAdded,
)

#: 2026-01-31 12:00:00 UTC, the beginning of a minute, an hour and a ten.
NOON = 1_769_860_800


def row(
    at: float, worker_id: int = 1, shares: int = 1, work: int | None = None, **changes: int
) -> ShareSum:
    """Shares of a worker of account 1 at a Unix time, of difficulty 1 on main."""
    made = ShareSum(
        int(at) // 60,
        1,
        worker_id,
        0,
        shares,
        shares if work is None else work,
        0x2080,
        int(at * 1e6),
    )
    return made._replace(**changes)


def rejects(at: float, worker_id: int = 1, account_id: int = 1, **counts: int) -> Rejects:
    ordered = tuple(counts.get(cause, 0) for cause in CAUSES)
    return Rejects(int(at * 1e6), account_id, worker_id, 0, ordered)


#: Two accounts with three workers, as a log introduces them.
NAMES: tuple[Effect, ...] = (
    AccountAdded(NOON * 10**6, 1, "farm", b"\x51"),
    AccountAdded(NOON * 10**6, 2, "other", b"\x52"),
    WorkerAdded(NOON * 10**6, 1, 1, "rig1"),
    WorkerAdded(NOON * 10**6, 2, 1, ""),
    WorkerAdded(NOON * 10**6, 3, 2, "rig1"),
)

_ACCOUNT_OF = {1: 1, 2: 1, 3: 2}

_times = st.integers(NOON, NOON + 3 * 86400)

rows = st.builds(
    lambda at, worker, listen, shares, weight, best: ShareSum(
        at // 60, _ACCOUNT_OF[worker], worker, listen, shares, shares * weight, best, at * 10**6
    ),
    at=_times,
    worker=st.sampled_from(sorted(_ACCOUNT_OF)),
    listen=st.integers(0, 1),
    shares=st.integers(1, 1000),
    weight=st.integers(1, 2**63),
    best=st.integers(1, 0xFFFF),
)

_counts = st.tuples(*[st.integers(0, 5)] * len(CAUSES))

_hashes = st.binary(min_size=32, max_size=32)

effects: st.SearchStrategy[Effect] = st.one_of(
    st.builds(
        lambda at, worker, counts: Rejects(at * 10**6, _ACCOUNT_OF[worker], worker, 0, counts),
        at=_times,
        worker=st.sampled_from(sorted(_ACCOUNT_OF)),
        counts=_counts,
    ),
    st.builds(Rejects, st.just(NOON * 10**6), st.just(0), st.just(0), st.just(1), _counts),
    st.builds(
        BlockKept, st.just(NOON * 10**6), _hashes, st.just(7), st.just("farm.rig1"), st.just(50)
    ),
    st.builds(FateKept, st.just(NOON * 10**6), _hashes, st.just("accepted"), st.just("")),
)
