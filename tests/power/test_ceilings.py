"""The confirmation by itself, on one rig of a hundred watts a level."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.brain.settings import MINUTE
from stratum.power.brain.state import NEVER
from stratum.power.economics.ceilings import NOT_DUE, Ceilings

CONFIRM_MS = 10 * MINUTE


def at(watts: int) -> Ceilings:
    one = np.array([watts])
    return Ceilings(one, one, np.array([NEVER]))


def moved(ceilings: Ceilings, keep: int, rise: int, now_ms: int) -> Ceilings:
    return ceilings.moved(np.array([keep]), np.array([rise]), now_ms, CONFIRM_MS)


def test_the_time_of_the_first_confirmation_is_known() -> None:
    assert at(300).due_ms(CONFIRM_MS) == NOT_DUE
    assert moved(at(300), 100, 0, 5_000).due_ms(CONFIRM_MS) == 5_000 + CONFIRM_MS


def test_between_keeping_and_taking_up_nothing_is_asked_for() -> None:
    held = moved(at(200), 300, 100, 0)
    assert held.wish_w.tolist() == [200]
    assert held.since_ms.tolist() == [NEVER]


def test_a_wish_that_turns_round_begins_again() -> None:
    down = moved(at(200), 100, 0, 0)
    up = moved(down, 300, 300, CONFIRM_MS - 1)
    assert moved(up, 300, 300, CONFIRM_MS).ceiling_w.tolist() == [200]
    assert moved(up, 300, 300, 2 * CONFIRM_MS - 1).ceiling_w.tolist() == [300]


def test_a_doubt_takes_back_every_wish() -> None:
    down = moved(at(200), 100, 0, 0).undisturbed()
    assert moved(down, 100, 0, CONFIRM_MS).ceiling_w.tolist() == [200]


@given(
    looks=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 8 * MINUTE)), max_size=40
    )
)
def test_a_ceiling_moves_only_where_every_look_for_ten_minutes_asked_for_it(
    looks: list[tuple[int, int, int]],
) -> None:
    ceilings, now_ms = at(300), 0
    history: list[tuple[int, int, int]] = []
    for first, second, step_ms in looks:
        now_ms += step_ms
        keep, rise = 100 * max(first, second), 100 * min(first, second)
        history.append((now_ms, keep, rise))
        before = int(ceilings.ceiling_w[0])
        ceilings = moved(ceilings, keep, rise, now_ms)
        after = int(ceilings.ceiling_w[0])
        if after == before:
            continue
        begun = max(time for time, _, _ in history if time <= now_ms - CONFIRM_MS)
        lately = [(keep, rise) for time, keep, rise in history if time >= begun]
        if after < before:
            assert all(keep <= after for keep, _ in lately)
        else:
            assert all(rise >= after for _, rise in lately)
