"""Metered lines: in order, paid for, none lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.mining.intake import Intake
from stratum.mining.jobs import microseconds
from stratum.mining.rig import Rig
from stratum.mining.settings import LimitSettings
from stratum.protocol.framing import ForeignProtocol, LineTooLong
from tests.mining.world import START, World


class Line:
    """An Intake and the socket before it."""

    def __init__(self, rate: float = 0) -> None:
        world = World(limits=LimitSettings(lines_per_second=rate))
        self.heard: list[bytes] = []
        self.intake = Intake(world.site, Rig(0, world.gate.open_session()), self.heard.append)

    def send(self, data: bytes) -> None:
        """So much comes at once, and waits behind what waits already."""
        room = self.intake.room()
        room[: len(data)] = data
        self.intake.arrived(len(data))
        self.intake.keep_rest(microseconds(START))

    def take(self, after: float = 0.0) -> list[bytes]:
        """Every line that can be had so long after the start."""
        lines = []
        now_us = microseconds(START + after)
        self.intake.room()
        self.intake.arrived(0)
        while (line := self.intake.next_line(now_us)) is not None:
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
    line, after, got = Line(rate), 0.0, []
    for cut in [*cuts, len(stream)]:
        line.send(stream[:cut])
        stream = stream[cut:]
        got += line.take(after)
    while line.intake.is_throttled:
        after += line.intake.throttled_for + 1e-6
        got += line.take(after)
    assert got == [b'{"first":1}', *(line.removesuffix(b"\r") for line in lines)]


def test_throttle_ends_with_the_budget() -> None:
    line = Line(1)
    line.send(b"{}\n" * 10)
    assert len(line.take()) == 8 and line.intake.is_throttled
    assert line.intake.throttled_for == 1.0
    assert len(line.take(5.0)) == 2 and not line.intake.is_throttled


def test_unfinished_line_is_timed_from_its_first_byte() -> None:
    line = Line()
    line.send(b"{}\n{")
    assert line.take(10.0) == [b"{}"]
    assert line.intake.unfinished_since == START + 10.0
    line.send(b"}")
    line.take(20.0)
    assert line.intake.unfinished_since == START + 10.0
    line.send(b"\n")
    line.take(22.0)
    assert not line.intake.has_unfinished


def test_faults_of_the_framing_come_through() -> None:
    for data, fault in ((b"GET / HTTP/1.1", ForeignProtocol), (b"{" * 8193, LineTooLong)):
        line = Line()
        line.send(data)
        with pytest.raises(fault):
            line.take()
