"""Which of the wishes wins: the tier's, the password's, the rig's, vardiff's, the network's."""

from __future__ import annotations

from fractions import Fraction

from stratum.bitcoin.networks import MAIN, REGTEST, Network
from stratum.mining.difficulty import DifficultyControl
from stratum.mining.names import Wishes
from stratum.mining.settings import TierSettings


def _control(
    first: float = 1024,
    lowest: float = 16,
    vardiff: bool = True,
    network: Network = MAIN,
    highest: float = 0,
) -> DifficultyControl:
    tier = TierSettings("127.0.0.1", 0, first, lowest, vardiff, highest)
    return DifficultyControl(network, tier, 0.0)


def _hurry(control: DifficultyControl, now: float = 1.0) -> None:
    """Twenty shares in a moment."""
    control.look(20 * control.weight, now)


def _would_change(control: DifficultyControl, now: float) -> bool:
    """Without any share since."""
    return control.look(control._seen_work, now)


def test_tier_is_where_it_begins() -> None:
    assert _control().weight == 1024
    assert _control(network=REGTEST).weight == 1024 << 32


def test_suggestion_is_where_vardiff_begins_not_where_it_stays() -> None:
    control = _control()
    assert control.suggest(Fraction(2048), 0.0)
    assert control.weight == 2048
    _hurry(control)
    control.adjust(1.0)
    assert control.weight > 2048


def test_same_suggestion_again_does_not_undo_what_vardiff_learned() -> None:
    control = _control()
    control.suggest(Fraction(2048), 0.0)
    _hurry(control)
    control.adjust(1.0)
    learned = control.weight
    assert not control.suggest(Fraction(2048), 2.0)
    assert control.weight == learned


def test_pinned_difficulty_stays_whatever_happens() -> None:
    control = _control()
    assert control.set_wishes(Wishes(fixed=Fraction(500)), 0.0)
    _hurry(control)
    assert not _would_change(control, 1.0) and not _would_change(control, 1000.0)
    control.adjust(1000.0)
    control.suggest(Fraction(7), 0.0)
    assert control.weight == 500


def test_nothing_lifts_it_above_the_tiers_highest() -> None:
    control = _control(highest=2048)
    _hurry(control)
    assert _would_change(control, 1.0)
    control.adjust(1.0)
    assert control.weight == 2048
    _hurry(control, 2.0)
    assert not _would_change(control, 2.0)
    control.suggest(Fraction(4096), 3.0)
    assert control.weight == 2048
    control.set_wishes(Wishes(fixed=Fraction(1 << 20)), 4.0)
    assert control.weight == 2048


def test_pinned_difficulty_is_never_below_the_tiers_lowest() -> None:
    control = _control()
    control.set_wishes(Wishes(fixed=Fraction(2)), 0.0)
    assert control.weight == 16


def test_floor_holds_against_suggestion_and_silence() -> None:
    control = _control()
    control.set_wishes(Wishes(floor=Fraction(512)), 0.0)
    control.suggest(Fraction(20), 0.0)
    assert control.weight == 512
    assert not _would_change(control, 10_000.0)


def test_floor_raises_a_measured_difficulty_and_otherwise_leaves_it_alone() -> None:
    control = _control()
    _hurry(control)
    control.adjust(1.0)
    learned = control.weight
    assert not control.set_minimum(Fraction(32), 2.0)
    assert control.weight == learned
    assert control.set_minimum(Fraction(2 * learned), 2.0)
    assert control.weight == 2 * learned
    assert not control.set_minimum(None, 2.0)
    assert control.weight == 2 * learned


def test_tier_without_vardiff_never_moves_by_itself() -> None:
    control = _control(vardiff=False)
    _hurry(control)
    assert not _would_change(control, 1000.0)


def test_adjusting_is_the_only_moment_it_changes() -> None:
    control = _control()
    changes = control.look(20 * control.weight, 1.0)
    assert changes and control.weight == 1024
    control.adjust(1.0)
    assert control.weight > 1024 and not _would_change(control, 1.0)
