"""Shares of the twin: Poisson, in proportion to what is truly hashed."""

from __future__ import annotations

import numpy as np
import pytest

from stratum.power.twin.firmware import LUXOS, LUXOS_TARGET
from stratum.power.twin.rigs import Rigs
from stratum.power.twin.work import MILLI_DIFFICULTY, Work
from tests.power.twin_farm import Farm, fleet_of, order

SHOWN = np.ones(400, np.bool_)


def work_of(rate: float, group: str = "") -> tuple[Work, Rigs]:
    fleet = fleet_of((LUXOS,) * 400, group=group)
    return Work(fleet, np.random.default_rng(2), rate), Rigs(fleet, np.random.default_rng(1), 0)


@pytest.mark.parametrize("rate", [6.0, 20.0])
def test_mean_and_variance_of_the_counts_are_those_of_poisson(rate: float) -> None:
    work, rigs = work_of(rate)
    ghs = work.hashrate(rigs)
    minutes = []
    for _ in range(400):
        done = work.done(ghs, SHOWN, 0, 60_000)
        counts = np.zeros(400, np.int64)
        counts[done.group] = done.shares
        minutes.append(counts)
    counts = np.array(minutes)
    expected = rate * ghs / 200_000
    assert counts.mean() == pytest.approx(expected.mean(), rel=0.01)
    ratio = counts.var(axis=0) / expected
    assert ratio.mean() == pytest.approx(1.0, abs=0.03)


def test_work_is_hashes_and_squares_give_its_sigma() -> None:
    work, rigs = work_of(20.0, group="farm.all")
    ghs = work.hashrate(rigs)
    done = work.done(ghs, SHOWN, 0, 1_000)
    hashes = ghs.sum() * 1e9
    assert int(done.work[0]) == pytest.approx(hashes * MILLI_DIFFICULTY, rel=0.35)
    sigma = np.sqrt(float(done.squares[0])) / float(done.work[0])
    assert sigma == pytest.approx(1 / np.sqrt(float(done.shares[0])), rel=1e-3)


def test_only_groups_that_found_something_have_a_row() -> None:
    work, rigs = work_of(6.0)
    done = work.done(work.hashrate(rigs), SHOWN, 0, 1_000)
    assert 0 < len(done.group) < 100
    assert (done.shares > 0).all()


def test_sleepers_find_nothing_and_half_power_finds_more_than_half() -> None:
    farm = Farm((LUXOS,) * 2 + (LUXOS_TARGET,) * 2)
    work = Work(farm.twin.fleet, np.random.default_rng(1))
    full = work.hashrate(farm.twin.rigs)
    farm.after(30, order([0, 1], 0)).after(30, order([2, 3], 1_750, first=2))
    now = work.hashrate(farm.twin.rigs)
    assert now[:2].tolist() == [0.0, 0.0]
    assert (now[2:] / full[2:] > 0.5).all()
    assert (now[2:] / full[2:] < 0.65).all()


def test_thousand_rigs_are_known_to_a_few_percent_in_ten_seconds() -> None:
    """power.md §7.4: 1,000 rigs at 20 a minute for 10 s have one sigma of 1.7 %."""
    fleet = fleet_of((LUXOS,) * 1_000, group="all")
    work = Work(fleet, np.random.default_rng(3), 20.0)
    ghs = work.hashrate(Rigs(fleet, np.random.default_rng(1), 0))
    shown = np.ones(1_000, np.bool_)
    sums = np.array([int(work.done(ghs, shown, 0, 10_000).work[0]) for _ in range(2_000)])
    assert sums.std() / sums.mean() == pytest.approx(0.017, abs=0.002)
