"""Replay: the same brain decides the same; another one is caught at its first different word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.brain.commands import Reason
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import Settings
from stratum.power.brain.state import RigState
from stratum.power.brain.values import Inputs
from stratum.power.journal import digest
from stratum.power.journal.encoding import codec_of, encode
from stratum.power.journal.reading import records, verify
from stratum.power.journal.records import RecordKind, Unreadable
from stratum.power.journal.replay import Difference, first_difference, replay
from tests.power.journals import MODELS, Decision, Memory, Site, State, decide, fleet_of, recorded

TICKS = 12
RATED = {0, *(model.rated_w for model in MODELS)}


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("journal"), TICKS)


def first_of(journal: Path, spoil: Callable[[Decision], Decision], tick: int = 5) -> Difference:
    """What a brain is caught at that decides otherwise at that tick."""

    def other(state: State, inputs: Inputs, settings: Settings, fleet: Fleet) -> Decision:
        decision = decide(state, inputs, settings, fleet)
        return spoil(decision) if inputs.tick == tick else decision

    difference = replay(records([journal]), State, other).difference
    assert difference is not None
    assert difference.tick == tick
    return difference


def test_the_same_brain_decides_the_same(journal: Path) -> None:
    done = replay(records([journal]), State, decide)
    assert (done.ticks, done.skipped, done.difference) == (TICKS, 0, None)
    assert done.state is not None and done.state.tick == TICKS


def test_a_state_of_another_program_is_unreadable(journal: Path) -> None:
    with pytest.raises(Unreadable, match=r"record 1, state: not what was written"):
        replay(records([journal]), Reason, decide)  # type: ignore[arg-type]


def test_another_command_is_named_with_both_values(journal: Path) -> None:
    def spoil(decision: Decision) -> Decision:
        power = decision.commands.power_w.copy()
        power[1] = 17
        return replace(decision, commands=replace(decision.commands, power_w=power))

    difference = first_of(journal, spoil, tick=4)
    assert difference.field == "commands.power_w[1]"
    assert difference.replayed == "17" and int(difference.recorded) in RATED
    assert "tick 4 (record 6), commands.power_w[1]: recorded" in str(difference)


def test_a_command_too_many_is_named(journal: Path) -> None:
    def spoil(decision: Decision) -> Decision:
        commands = decision.commands
        more = {
            name: np.append(getattr(commands, name), 1)
            for name in ("number", "rig", "power_w", "rung", "cause")
        }
        return replace(decision, commands=replace(commands, **more))

    difference = first_of(journal, spoil)
    assert difference.field == "len(commands.number)"
    assert int(difference.replayed) == int(difference.recorded) + 1


@pytest.mark.parametrize(
    ("field", "spoil"),
    [
        ("reasons[0].text", lambda d: replace(d, reasons=(replace(d.reasons[0], text="so"),))),
        ("len(reasons)", lambda d: replace(d, reasons=(*d.reasons, Reason("more", "")))),
        ("picture.goal_w", lambda d: replace(d, picture=replace(d.picture, goal_w=3))),
        (
            "digest of state.memory",
            lambda d: replace(d, state=replace(d.state, memory=Memory(last_w=-1))),
        ),
        ("digest of state.tick", lambda d: replace(d, state=replace(d.state, tick=99))),
    ],
)
def test_the_first_different_word_is_named(
    journal: Path, field: str, spoil: Callable[[Any], Any]
) -> None:
    assert first_of(journal, spoil, tick=4).field == field


def test_one_watt_remembered_otherwise_of_one_rig_is_seen(journal: Path) -> None:
    def spoil(decision: Decision) -> Decision:
        decision.state.rigs.seen_w[3] += 1
        return decision

    assert first_of(journal, spoil).field == "digest of state.rigs"


def test_ticks_before_the_first_snapshot_are_counted(journal: Path) -> None:
    found = [record for record in records([journal]) if record.kind is not RecordKind.SNAPSHOT]
    done = replay(found, State, decide)
    assert (done.ticks, done.skipped) == (0, TICKS)


def test_a_snapshot_that_continues_must_agree_with_the_replay(tmp_path: Path) -> None:
    """The digest of a tick says nothing of what did not change; a snapshot does."""
    site = Site(fleet_of(5))
    site.second = second_of(site)  # type: ignore[method-assign]
    journal = recorded(tmp_path, 3, site=site)

    calls = iter(range(3))

    def lose(state: State, inputs: Inputs, settings: Settings, fleet: Fleet) -> Decision:
        if next(calls) == 1:
            state.rigs.learned_w[2] = 5  # a state that was handed out is changed
        return decide(state, inputs, settings, fleet)

    difference = replay(records([journal]), State, lose).difference
    assert difference is not None
    assert (difference.field, difference.replayed) == ("state.rigs.learned_w[2]", "5")


def second_of(site: Site) -> Any:
    """Seconds of eight minutes each, so that a snapshot falls between."""
    return lambda value=None: Site.second(site, value, step_ms=480_000)


def test_a_recorded_day_has_its_size_measured(tmp_path: Path) -> None:
    """10,000 rigs, telemetry every 5 s, a share every 5 s: at most 1 GB a day."""
    ticks = 30
    path = recorded(tmp_path, ticks, site=Site(fleet_of(10_000)))
    verified = verify([path])
    second = sum(len(r.body) for r in records([path]) if r.kind is RecordKind.TICK) / ticks
    snapshot = next(len(r.body) for r in records([path]) if r.kind is RecordKind.SNAPSHOT)
    per_day = 86_400 * second + 144 * snapshot
    print(f"journal: {per_day / 1e6:.0f} MB a day at 10,000 rigs")
    assert verified.counts[RecordKind.TICK] == ticks
    assert per_day < 1_000_000_000


# -- digests ------------------------------------------------------------------------------------

CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["seen_w", "ordered_w", "due_ms", "cycles", "locked"]),
        st.integers(0, 7),
        st.integers(0, 3),
    ),
    max_size=4,
)


@given(before=CHANGES, one=CHANGES, other=CHANGES)
def test_states_digest_alike_just_when_they_are_alike(before: Any, one: Any, other: Any) -> None:
    fleet = fleet_of(8)
    start = changed(State.fresh(fleet), before)
    first, second = changed(start, one), changed(start, other)
    begun = digest.begun(start)
    alike = first_difference(first, second, "") is None
    assert alike == (digest.advanced(begun, start, first) == digest.advanced(begun, start, second))
    assert alike == (digest.begun(first) == digest.begun(second))


def changed(state: State, changes: Any) -> State:
    rigs = state.rigs.copy()
    for name, row, value in changes:
        getattr(rigs, name)[..., row] = value
    return replace(state, rigs=rigs)


def test_a_state_that_was_decoded_digests_as_the_one_that_ran() -> None:
    fleet = fleet_of(8)
    state = replace(State.fresh(fleet), memory=Memory(3, {"b": 1, "a": 2}))
    back = codec_of(State).decode(encode(state))
    assert digest.begun(back) == digest.begun(state)
    after = replace(state, memory=Memory(3, {"b": 1, "a": 3}))
    begun = digest.begun(state)
    assert digest.advanced(begun, back, after) == digest.advanced(begun, state, after) != begun
    assert digest.advanced(begun, state, back) == begun


def test_the_order_of_a_dict_is_part_of_it() -> None:
    assert digest.begun(Memory(3, {"b": 1, "a": 2})) != digest.begun(Memory(3, {"a": 2, "b": 1}))


def test_an_inventory_has_a_hash() -> None:
    assert digest.whole(fleet_of(8)) == digest.whole(fleet_of(8)) != digest.whole(fleet_of(9))
    assert digest.begun(7) == digest.begun(np.int64(7)) != digest.begun(8)


@given(first=st.integers(), second=st.integers())
def test_rig_states_differ_where_they_say(first: int, second: int) -> None:
    fleet = fleet_of(4)
    one, other = RigState.fresh(fleet), RigState.fresh(fleet)
    one.cycles[2, 3] = first % 1_000
    other.cycles[2, 3] = second % 1_000
    found = first_difference(one, other, "rigs")
    if first % 1_000 == second % 1_000:
        assert found is None
    else:
        assert found == ("rigs.cycles[2, 3]", str(first % 1_000), str(second % 1_000))
