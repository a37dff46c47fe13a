"""extranonce1: never two live holders, a rest after use, and a proof for who comes back."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, rule

from stratum.mining import extranonce
from stratum.mining.extranonce import QUARANTINE, Extranonces, ExtranonceSpaceFull

HOST = "192.0.2.1"


def test_values_differ_and_go_round_the_end_of_the_space() -> None:
    extranonces = Extranonces(b"key", 2**32 - 1)
    assert extranonces.allot(0.0) == b"\xff" * 4
    assert extranonces.allot(0.0) == bytes(4)


def test_freed_value_rests_before_anybody_else_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extranonce, "_SPACE", 2)
    extranonces = Extranonces(b"key", 0)
    first, second = extranonces.allot(0.0), extranonces.allot(0.0)
    with pytest.raises(ExtranonceSpaceFull):
        extranonces.allot(0.0)
    extranonces.release(first, 100.0)
    with pytest.raises(ExtranonceSpaceFull):
        extranonces.allot(100.0 + QUARANTINE - 1)
    assert extranonces.allot(100.0 + QUARANTINE) == first != second


def test_rest_begins_anew_after_a_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extranonce, "_SPACE", 1)
    extranonces = Extranonces(b"key", 0)
    value = extranonces.allot(0.0)
    extranonces.release(value, 0.0)
    assert extranonces.resume(extranonces.session_id(value, HOST), HOST) == value
    extranonces.release(value, QUARANTINE - 1)
    with pytest.raises(ExtranonceSpaceFull):
        extranonces.allot(QUARANTINE + 1)
    assert extranonces.allot(2 * QUARANTINE - 1) == value


def test_only_the_same_address_may_resume_and_only_once() -> None:
    extranonces = Extranonces(b"key", 5)
    value = extranonces.allot(0.0)
    session_id = extranonces.session_id(value, HOST)
    assert extranonces.resume(session_id, HOST) is None, "its connection lives"
    extranonces.release(value, 0.0)
    assert extranonces.resume(session_id, "192.0.2.2") is None
    assert extranonces.resume(session_id, HOST) == value
    assert extranonces.resume(session_id, HOST) is None


def test_session_id_is_good_after_a_restart_with_the_same_key_only() -> None:
    before = Extranonces(b"key", 5)
    session_id = before.session_id(before.allot(0.0), HOST)
    assert Extranonces(b"other", 77).resume(session_id, HOST) is None
    assert Extranonces(b"key", 77).resume(session_id, HOST) == b"\0\0\0\5"


@pytest.mark.parametrize(
    "session_id",
    ["", "1b9000001", "zz" * 12, "00" * 12, "\u0661" * 24, " 0" * 12, "00" * 13, "0x" + "0" * 22],
)
def test_odd_or_foreign_session_ids_are_nobodys(session_id: str) -> None:
    assert Extranonces(b"key", 0).resume(session_id, HOST) is None


class Holders(RuleBasedStateMachine):
    """Any order of coming, going and coming back, in a space so small that it fills."""

    held = Bundle("held")
    gone = Bundle("gone")

    def __init__(self) -> None:
        super().__init__()
        self.extranonces = Extranonces(b"key", 0)
        self.now = 0.0
        self.live: set[bytes] = set()
        self.freed: dict[bytes, float] = {}

    @rule(target=held)
    def come(self) -> bytes:
        return self._allot()

    def _allot(self) -> bytes:
        value = self.extranonces.allot(self.now)
        assert value not in self.live
        assert self.now - self.freed.get(value, -QUARANTINE) >= QUARANTINE
        self.live.add(value)
        return value

    @rule(target=gone, value=consumes(held))
    def go(self, value: bytes) -> bytes:
        self.extranonces.release(value, self.now)
        self.live.discard(value)
        self.freed[value] = self.now
        return value

    @rule(target=held, value=consumes(gone))
    def come_back(self, value: bytes) -> bytes:
        session_id = self.extranonces.session_id(value, HOST)
        if self.extranonces.resume(session_id, HOST) is None:
            assert value in self.live
            return self._allot()
        assert value not in self.live
        self.live.add(value)
        return value

    @rule(seconds=st.sampled_from([1.0, 300.0, QUARANTINE]))
    def wait(self, seconds: float) -> None:
        self.now += seconds


TestHolders = Holders.TestCase
