"""Metered lines: in order, paid for, none lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.mining.intake import Intake
from stratum.protocol.framing import ForeignProtocol, LineTooLong


def _take(intake: Intake, now: float = 0.0) -> list[bytes]:
    lines = []
    while (line := intake.next_line(now)) is not None:
        lines.append(line)
    return lines


@given(
    st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=30),
    st.lists(st.integers(1, 30), max_size=30),
    st.sampled_from([0, 1, 5]),
)
def test_any_segmentation_at_any_rate_gives_the_same_lines(
    lines: list[bytes], cuts: list[int], rate: float
) -> None:
    stream = b'{"first":1}\n' + b"".join(line + b"\n" for line in lines)
    intake, now, got = Intake(rate, 0.0), 0.0, []
    for cut in [*cuts, len(stream)]:
        intake.feed(stream[:cut])
        stream = stream[cut:]
        got += _take(intake, now)
    while intake.is_throttled:
        now += intake.throttled_for
        got += _take(intake, now)
    assert got == [b'{"first":1}', *(line.removesuffix(b"\r") for line in lines)]


def test_throttle_ends_with_the_budget() -> None:
    intake = Intake(1, 0.0)
    intake.feed(b"{}\n" * 10)
    assert len(_take(intake)) == 8 and intake.is_throttled
    assert intake.throttled_for == 1.0
    assert len(_take(intake, 5.0)) == 2 and not intake.is_throttled


def test_unfinished_line_is_timed_from_its_first_byte() -> None:
    intake = Intake(0, 0.0)
    intake.feed(b"{}\n{")
    _take(intake, 10.0)
    assert intake.unfinished_for(15.0) == 5.0
    intake.feed(b"}")
    _take(intake, 20.0)
    assert intake.unfinished_for(21.0) == 11.0
    intake.feed(b"\n")
    _take(intake, 22.0)
    assert intake.unfinished_for(23.0) == 0.0


def test_faults_of_the_framing_come_through() -> None:
    for data, fault in ((b"GET / HTTP/1.1", ForeignProtocol), (b"{" * 8193, LineTooLong)):
        intake = Intake(0, 0.0)
        intake.feed(data)
        with pytest.raises(fault):
            intake.next_line(0.0)
