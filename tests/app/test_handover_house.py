"""What the new process makes of what it was given, where the old one's word can't be taken."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import cbor2
import pytest

from stratum.app import handover_take
from stratum.app.handover import Frame, Kind, Parcel
from stratum.app.handover_take import Taken
from stratum.app.handover_wire import Wire, WireLost
from stratum.app.service import PoolService
from stratum.errors import OutsideError, ProtocolError
from tests.app.world import World, a_node

POOL: dict[str, object] = {"jobs": [], "current": None, "layouts": []}
SITE = {"departed": [], "next_extranonce1": 7}
NOTHING = cbor2.dumps({"pool": POOL, "site": SITE})


class Old:
    """The old process, as far as the new one sees it."""

    def __init__(self, *states: bytes, rigs: int = 0, of_them_good: int = 0) -> None:
        ours, theirs = socket.socketpair()
        self.wire = Wire(ours)
        parcel = Parcel()
        parcel.listeners = {"somewhere": socket.socket().detach()}
        parcel.states = list(states)
        self.ends: list[socket.socket] = []
        for number in range(rigs):
            end, descriptor = socket.socketpair()
            self.ends.append(end)
            state = b"good" if number < of_them_good else b"bad"
            parcel.sessions.append((descriptor.detach(), state))
        parcel.is_whole = True
        self.taken = Taken(Wire(theirs), parcel)

    def close(self) -> None:
        self.wire.close()
        for end in self.ends:
            end.close()


@asynccontextmanager
async def moved_in(home: Path, old: Old) -> AsyncIterator[PoolService]:
    """A pool that has loaded everything; every `good` state is a session for it."""
    async with a_node() as node:
        service = PoolService(World(home, node.settings).config)
        adopt = service._handing.adopt

        def adopt_good(sock: socket.socket, state: bytes) -> None:
            if state == b"good":
                sock.close()
            else:
                adopt(sock, state)

        service._handing.adopt = adopt_good  # type: ignore[method-assign]
        try:
            with old.taken:
                await service._house.move_in(old.taken)
            yield service
        finally:
            old.close()
            service._close_log()
            service._sockets.close()


async def test_few_rigs_that_are_not_understood_are_lost_and_the_others_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    old = Old(NOTHING, rigs=10, of_them_good=9)
    await old.wire.send(Frame(Kind.GONE))
    async with moved_in(tmp_path, old) as service:
        assert service._site.extranonces.next_value == 7
        assert old.ends[-1].recv(1) == b"", "its connection is closed"
    assert "9 rigs taken over, 1 lost" in caplog.text


async def test_where_most_rigs_are_not_understood_the_old_process_keeps_them(
    tmp_path: Path,
) -> None:
    old = Old(NOTHING, rigs=10, of_them_good=4)
    with pytest.raises(OutsideError, match="6 of 10 rigs"):
        async with moved_in(tmp_path, old):
            pass
    with pytest.raises((WireLost, OSError)):
        await old.wire.receive()  # it hung up, and never said READY


@pytest.mark.parametrize(
    "state",
    [
        b"\xff",
        cbor2.dumps({"pool": POOL}),
        cbor2.dumps({"pool": 7, "site": SITE}),
        cbor2.dumps({"seen": [[b"", b"1234567"]]}),
        cbor2.dumps([]),
    ],
)
async def test_state_that_is_not_understood_leaves_all_where_it_was(
    tmp_path: Path, state: bytes
) -> None:
    with pytest.raises(OutsideError, match="not understood"):
        async with moved_in(tmp_path, Old(state)):
            pass


async def test_old_process_that_dies_at_the_last_moment_leaves_its_rigs_to_us(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = Old(NOTHING)
    old.wire.close()
    async with moved_in(tmp_path, old):
        pass
    assert "the old process died before it had left" in caplog.text


async def test_old_process_that_does_not_answer_may_still_change_its_mind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover_take, "_PATIENCE", 0.01)
    with pytest.raises(OutsideError, match="does not answer"):
        async with moved_in(tmp_path, Old(NOTHING)):
            pass


async def test_any_other_word_than_gone_is_none(tmp_path: Path) -> None:
    old = Old(NOTHING)
    await old.wire.send(Frame(Kind.READY))
    with pytest.raises(ProtocolError, match="GONE was expected, not READY"):
        async with moved_in(tmp_path, old):
            pass
