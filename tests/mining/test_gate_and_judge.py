"""The gate in C and the judge in Python: the same verdict, reply, count and record for any bytes.

Two worlds live the same life at the same times. In one the gate judges what it takes, in the
other it takes nothing, and every line is Python's. Whatever a rig says to both, in whatever
pieces, must leave both alike.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import hashing
from hashing import GateSession, GateStatus
from stratum.bitcoin.networks import Network
from stratum.mining.settings import LimitSettings
from stratum.mining.site import make_gate
from tests.mining.rig import HeardJob, Rig, Share
from tests.mining.world import ALICE, World

NAME = ALICE + ".rig"


class ClosedGate(hashing.Gate):
    """Leaves every line to Python."""

    __slots__ = ()

    def take(self, session: GateSession, start: int, end: int, now_us: int) -> GateStatus:
        self.consumed, self.lines, self.accepted = start, 0, 0
        is_line = b"\n" in bytes(self.buffer[start:end]) or end - start > 8192
        return GateStatus.LINE if is_line else GateStatus.MORE


def closed_gate(network: Network, limits: LimitSettings) -> hashing.Gate:
    gate = make_gate(network, limits)
    gate.__class__ = ClosedGate
    return gate


class Twins:
    """One rig in two worlds, one of them without a gate."""

    def __init__(self, rolls: bool) -> None:
        limits = LimitSettings(lines_per_second=2.0)
        self.worlds = [World(limits=limits), World(limits=limits, gate=closed_gate)]
        self.rigs = [self._begin(world, rolls) for world in self.worlds]
        self.is_open = True

    def _begin(self, world: World, rolls: bool) -> Rig:
        world.new_block()
        rig = world.connect()
        if rolls:
            rig.configure()
        rig.subscribe()
        rig.authorize(NAME)
        return rig

    @property
    def rig(self) -> Rig:
        return self.rigs[0]

    def say(self, data: bytes) -> None:
        """To both; what they answer must not differ, nor what they are then."""
        said = []
        for rig in self.rigs:
            before = len(rig.ear.lines)
            if self.is_open:
                rig.send(data)
            said.append((rig.ear.lines[before:], rig.closing))
        assert said[0] == said[1], data
        self.is_open = said[0][1] is None
        assert self._traces(0) == self._traces(1), data

    def pass_time(self, seconds: float) -> None:
        for world, rig in zip(self.worlds, self.rigs, strict=True):
            world.now += seconds
            if self.is_open:
                rig.go_on()
        self.say(b"")

    def new_block(self) -> None:
        for world in self.worlds:
            world.new_block()

    def refresh(self) -> None:
        for world in self.worlds:
            world.refresh()

    def _traces(self, which: int) -> dict[str, Any]:
        """All that is left of what was said."""
        world, state = self.worlds[which], self.rigs[which].session.rig.state
        return {
            "log": world.leaves,
            "found": world.found,
            "verdicts": world.site.verdicts,
            "work": world.gate.work,
            "shares": (state.shares, state.work, state.best, state.rejected, state.junk_run),
            "times": (state.last_line_us, state.last_share_us, state.line_wait_us(0)),
            "throttled": self.rigs[which].session.is_throttled,
        }


# -- lines -------------------------------------------------------------------------------------

_BLANKS = st.sampled_from(["", "", " ", "\t", "  ", "\r"])

_IDS = st.one_of(
    st.integers(-2, 2**65).map(str),
    st.sampled_from(["0", "007", "-0", "1.0", "1e3", "null", "true", '"a"', '"\\u0041"', '"é"']),
    st.text("abcXYZ09 ._-", max_size=130).map(json.dumps),
)

_METHODS = st.sampled_from(['"mining.submit"'] * 6 + ['"mining.\\u0073ubmit"', '"mining.ping"'])

_JUNK = st.sampled_from(["null", "true", "1", '""', "[]", "{}", '"zzzzzzzz"', '"0"', '"é"'])


@st.composite
def spellings(draw: st.DrawFn, share: Share) -> bytes:
    """A submit as somebody's JSON encoder might write it, or nobody's."""
    params = [json.dumps(each) for each in share.params]
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1]))):
        params[draw(st.integers(0, len(params) - 1))] = draw(_JUNK)
    if draw(st.integers(0, 5)) == 5:
        place = draw(st.integers(2, len(params) - 1))
        params[place] = params[place].upper().replace("NULL", "null").replace("TRUE", "true")
    if draw(st.integers(0, 9)) == 9:
        params = params[: draw(st.integers(0, 6))] + [draw(_JUNK)] * draw(st.integers(0, 4))

    blanks = iter(lambda: draw(_BLANKS), None)
    listed = (f",{next(blanks)}").join(params)
    members = [
        f'"id"{next(blanks)}:{next(blanks)}{draw(_IDS)}',
        f'"method"{next(blanks)}:{next(blanks)}{draw(_METHODS)}',
        f'"params":{next(blanks)}[{next(blanks)}{listed}{next(blanks)}]',
    ]
    members = list(draw(st.permutations(members)))
    if draw(st.integers(0, 9)) == 9:
        members.append(draw(st.sampled_from(['"jsonrpc":"2.0"', '"id":5', "", '"x":{"y":[]}'])))
    body = f"{next(blanks)},{next(blanks)}".join(members)
    return f"{next(blanks)}{{{body}}}{next(blanks)}".encode() + b"\n"


@st.composite
def damaged(draw: st.DrawFn, line: bytes) -> bytes:
    """A byte more, a byte less, or another one."""
    at = draw(st.integers(0, len(line) - 1))
    byte = draw(st.binary(min_size=0, max_size=1))
    return line[:at] + byte + line[at + draw(st.integers(0, 1)) :]


@st.composite
def shares(draw: st.DrawFn, rig: Rig) -> Share:
    """On any job the rig has heard of, good or not."""
    job = rig.jobs[-1 - min(draw(st.integers(0, 3)), len(rig.jobs) - 1)]
    share = _mine(draw, rig, job)
    wrong = draw(st.integers(0, 11))
    if wrong == 0:
        share = replace(share, worker_name=draw(st.sampled_from(["nobody", ALICE, ""])))
    if wrong == 1:
        share = replace(share, job_id=draw(st.sampled_from(["", "00000000", "ffffffff", "0000"])))
    if wrong == 2:
        share = replace(share, version_bits=draw(st.sampled_from(["00000001", "ffffffff"])))
    return share


def _mine(draw: st.DrawFn, rig: Rig, job: HeardJob) -> Share:
    ntime = job.ntime + draw(st.sampled_from([0, 0, 0, 1, -1, 7000, 7001]))
    bits = draw(st.sampled_from([None, None, 0, 0x2000, 0x1FFFE000]))
    match draw(st.integers(0, 9)):
        case 0:
            return rig.mine_low(job)
        case 1:
            return rig.mine_block(job, version_bits=bits, ntime=ntime)
        case _:
            return rig.mine(job, version_bits=bits, ntime=ntime)


@given(data=st.data(), rolls=st.booleans())
def test_gate_and_python_answer_alike_whatever_is_said(data: st.DataObject, rolls: bool) -> None:
    twins = Twins(rolls)
    said: list[bytes] = []
    for _ in range(data.draw(st.integers(1, 8))):
        match data.draw(st.integers(0, 9)):
            case 0:
                twins.new_block()
            case 1:
                twins.refresh()
            case 2:
                twins.pass_time(data.draw(st.sampled_from([0.25, 1.0, 30.0])))
            case 3 if said:
                twins.say(data.draw(st.sampled_from(said)))  # again, or somebody else's bytes
            case 4:
                twins.say(data.draw(st.binary(max_size=40)))
            case 5:
                twins.say(data.draw(damaged(data.draw(spellings(data.draw(shares(twins.rig)))))))
            case _:
                lines = [
                    data.draw(spellings(data.draw(shares(twins.rig))))
                    for _ in range(data.draw(st.integers(1, 4)))
                ]
                said += lines
                stream = b"".join(lines)
                cut = data.draw(st.integers(0, len(stream)))
                twins.say(stream[:cut])
                twins.say(stream[cut:])


def test_the_gate_is_not_asked_in_vain() -> None:
    """Both would agree as well if the gate took nothing: see that it takes what it should."""
    twins = Twins(rolls=True)
    gate = twins.worlds[0].gate
    taken = []
    for _ in range(3):
        share = twins.rig.mine(version_bits=0x2000)
        submit = {"id": 1, "method": "mining.submit", "params": share.params}
        twins.say(json.dumps(submit).encode() + b"\n")
        taken.append((gate.lines, gate.accepted))
    assert taken == [(1, 1), (1, 1), (1, 1)]
