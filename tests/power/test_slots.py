"""A plan as intervals: the newer over the older, against a model of single instants."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stratum.power.brain.slots import (
    FOREVER,
    KEPT_MS,
    Slot,
    next_turn,
    slot_at,
    with_slot,
    without_past,
)

issues = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 15), st.integers(0, 9)).map(
        lambda issue: Slot(issue[0], issue[0] + issue[1], issue[2])
    ),
    max_size=12,
)


def plan(slots: list[Slot]) -> tuple[Slot, ...]:
    planned: tuple[Slot, ...] = ()
    for slot in slots:
        planned = with_slot(planned, slot)
    return planned


@given(issues)
def test_every_instant_belongs_to_the_newest_issue_that_covers_it(slots: list[Slot]) -> None:
    planned = plan(slots)
    for instant in range(60):
        covering = [slot for slot in slots if slot.begins_ms <= instant < slot.ends_ms]
        found = slot_at(planned, instant)
        assert (found and found.value) == (covering[-1].value if covering else None)


@given(issues)
def test_no_interval_lies_over_another_and_turns_are_where_the_answer_may_change(
    slots: list[Slot],
) -> None:
    planned = plan(slots)
    for one, other in zip(planned, planned[1:], strict=False):
        assert one.ends_ms <= other.begins_ms
    for instant in range(60):
        turn = next_turn(planned, instant)
        assert turn > instant
        for between in range(instant, min(turn, 60)):
            assert slot_at(planned, between) == slot_at(planned, instant)


def test_same_issue_again_changes_nothing() -> None:
    planned = plan([Slot(0, 10, 1), Slot(10, 20, 2)])
    assert with_slot(planned, Slot(10, 20, 2)) is planned


def test_ended_intervals_are_kept_for_a_clock_that_is_set_back() -> None:
    planned = plan([Slot(0, 10, 1), Slot(10, FOREVER, 2)])
    assert without_past(planned, 9 + KEPT_MS) == planned
    assert without_past(planned, 10 + KEPT_MS) == planned[1:]
