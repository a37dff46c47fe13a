"""Which node is active, on a clock that is a number."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stratum.node.choice import BEHIND_S, FIRST_WORD_S, PROOF_S, Choice
from stratum.node.watch import PATIENCE_S

HEIGHT = 100


def _two(now: float = 0.0) -> Choice:
    """Two healthy nodes, the first of them active."""
    choice = Choice(2, now)
    choice.healthy(0, HEIGHT, now)
    choice.healthy(1, HEIGHT, now)
    assert choice.decide(now) == 0
    return choice


def test_first_healthy_node_in_order_of_preference_is_chosen() -> None:
    _two()


def test_start_waits_a_little_for_the_preferred_nodes_first_word() -> None:
    choice = Choice(2, 0)
    choice.healthy(1, HEIGHT, 0.1)
    assert choice.decide(0.1) is None
    assert choice.decide(FIRST_WORD_S) == 1


def test_preferred_node_that_is_known_to_be_down_is_not_waited_for() -> None:
    choice = Choice(2, 0)
    choice.faulty(0, 0.1)
    choice.healthy(1, HEIGHT, 0.1)
    assert choice.decide(0.1) == 1


def test_faulty_node_is_left_at_once_for_a_healthy_one() -> None:
    choice = _two()
    choice.faulty(0, 1, patience_s=PATIENCE_S)
    assert choice.decide(1) == 1


def test_preferred_node_is_returned_to_after_its_proof() -> None:
    choice = _two()
    choice.faulty(0, 1)
    choice.decide(1)
    choice.healthy(0, HEIGHT, 10)
    assert choice.decide(10 + PROOF_S - 0.1) == 1
    assert choice.decide(10 + PROOF_S) == 0


def test_node_that_comes_and_goes_must_prove_itself_twice_as_long() -> None:
    choice = _two()
    for now in (1, 20):
        choice.faulty(0, now)
        choice.decide(now)
        choice.healthy(0, HEIGHT, now + 10)
        choice.decide(now + 10 + PROOF_S)
    assert choice.active == 1
    assert choice.decide(30 + 2 * PROOF_S) == 0


def test_only_node_is_kept_through_a_short_silence_but_not_a_long_one() -> None:
    choice = Choice(1, 0)
    choice.healthy(0, HEIGHT, 0)
    choice.decide(0)
    choice.faulty(0, 1, patience_s=PATIENCE_S)
    assert choice.decide(1) == 0
    assert choice.decide(1 + PATIENCE_S) is None


def test_only_node_that_refuses_is_left_at_once() -> None:
    choice = Choice(1, 0)
    choice.healthy(0, HEIGHT, 0)
    choice.decide(0)
    choice.faulty(0, 1)
    assert choice.decide(1) is None


def test_node_that_stays_behind_another_is_passed_over() -> None:
    choice = _two()
    choice.healthy(1, HEIGHT + 1, 5)
    assert choice.decide(5 + BEHIND_S - 0.1) == 0
    assert choice.decide(5 + BEHIND_S) == 1
    assert choice.ahead_of(0, 5 + BEHIND_S) == 1


def test_node_that_caught_up_proves_itself_before_it_leads_again() -> None:
    choice = _two()
    choice.healthy(1, HEIGHT + 1, 0)
    choice.decide(BEHIND_S)
    choice.healthy(0, HEIGHT + 1, 20)
    assert choice.decide(20) == 1
    assert choice.decide(20 + PROOF_S) == 0


def test_a_new_block_that_reaches_one_node_first_moves_nothing() -> None:
    choice = _two()
    choice.healthy(1, HEIGHT + 1, 1)
    choice.healthy(0, HEIGHT + 1, 1.2)
    assert choice.decide(30) == 0


def test_standby_below_the_told_height_waits_for_the_better_ones_return() -> None:
    choice = _two()
    choice.healthy(0, HEIGHT + 1, 1)
    assert choice.decide(1) == 0
    choice.faulty(0, 2, patience_s=PATIENCE_S)
    for now in (2, 1 + PATIENCE_S + 2, 1 + BEHIND_S - 0.1):
        choice.healthy(1, HEIGHT, now)
        assert choice.decide(now) == 0
    assert choice.decide(1 + BEHIND_S) == 1


def test_standby_that_catches_up_takes_over_at_once() -> None:
    choice = _two()
    choice.healthy(0, HEIGHT + 1, 1)
    choice.decide(1)
    choice.faulty(0, 2)
    assert choice.decide(2) == 0
    choice.healthy(1, HEIGHT + 1, 3)
    assert choice.decide(3) == 1


def test_dead_node_is_left_at_once_for_one_of_the_same_height() -> None:
    choice = _two()
    choice.faulty(0, 1)
    assert choice.decide(1) == 1


def test_preferred_node_that_comes_back_lower_waits_until_it_has_caught_up() -> None:
    choice = _two()
    choice.faulty(0, 1)
    choice.decide(1)
    choice.healthy(0, HEIGHT, 2)
    choice.healthy(1, HEIGHT + 1, 2)
    choice.decide(2)
    assert choice.decide(2 + PROOF_S + 1) == 1
    choice.healthy(0, HEIGHT + 1, 9)
    assert choice.decide(9) == 0


def test_active_nodes_own_reorganisation_to_fewer_blocks_is_followed() -> None:
    choice = _two()
    choice.healthy(0, HEIGHT + 1, 1)
    choice.decide(1)
    choice.healthy(0, HEIGHT, 2)
    assert choice.decide(2) == 0
    choice.faulty(0, 3)
    assert choice.decide(3) == 1


_verdicts = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["healthy", "faulty", "silent"]),
        st.integers(HEIGHT, HEIGHT + 2),
        st.floats(0, 20),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(_verdicts)
def test_active_node_is_good_or_waited_for_and_rigs_do_not_go_back_soon(
    verdicts: list[tuple[int, str, int, float]],
) -> None:
    choice = Choice(3, 0)
    last: dict[int, tuple[str, int]] = {}
    now = 0.0
    told, told_at = -1, -BEHIND_S
    for index, verdict, height, pause in verdicts:
        now += pause
        last[index] = verdict, height
        if verdict == "healthy":
            choice.healthy(index, height, now)
        else:
            choice.faulty(index, now, patience_s=PATIENCE_S if verdict == "silent" else 0.0)
        before, active = choice.active, choice.decide(now)

        good = {one: height for one, (said, height) in last.items() if said == "healthy"}
        # The highest of the good ones is behind nobody: passed over only for what rigs have.
        waits = now - told_at < BEHIND_S and all(height < told for height in good.values())
        if active is None:
            assert not good or waits or now < FIRST_WORD_S
        elif active not in good:
            assert active == before
            assert waits if good else last[active][0] == "silent"
        else:
            assert active == before or good[active] >= told or now - told_at >= BEHIND_S
            told, told_at = good[active], now
