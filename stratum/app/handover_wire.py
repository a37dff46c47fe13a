"""Frames of a handover over a Unix socket, descriptors beside them.

asyncio has no sendmsg() and recvmsg(), which descriptors need: this is the little of it that two
processes of ours require. Descriptors that come are ours to close; those that go stay ours too.
"""

from __future__ import annotations

import array
import asyncio
import os
import signal
import socket
import struct
from collections.abc import Iterable
from typing import Any

from stratum.app.handover import MAX_DESCRIPTORS, Frame, FrameReader
from stratum.errors import OutsideError, ProtocolError

_PIECE = 1 << 18

_Ancillary = tuple[int, int, bytes]

_ANCILLARY_SIZE = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)

#: struct ucred: pid, uid, gid (unix(7)).
_CREDENTIALS = struct.Struct("iII")


class WireLost(OutsideError):
    """The other process is gone, or does not speak any more."""


class Wire:
    """One conversation. Not for several tasks at once."""

    def __init__(self, sock: socket.socket) -> None:
        """Takes `sock` over."""
        sock.setblocking(False)
        self._sock = sock
        self._reader = FrameReader()

    async def send(self, frame: Frame) -> None:
        """Raises WireLost."""
        data = memoryview(frame.encode())
        beside = _beside(frame.descriptors)
        try:
            while data:
                sent = await self._send_some(data, beside)
                data, beside = data[sent:], []
        except OSError as exc:
            raise WireLost(f"the other process can't be told: {exc.strerror}") from exc

    async def receive(self) -> Frame:
        """The next frame. Raises WireLost, and ProtocolError for what is none."""
        while (frame := self._reader.next_frame()) is None:
            await self._feed()
        return frame

    async def _feed(self) -> None:
        try:
            data, ancillary, flags, _ = await self._receive_some()
        except OSError as exc:
            raise WireLost(f"the other process can't be heard: {exc.strerror}") from exc
        self._reader.feed(data, _descriptors(ancillary))
        if flags & socket.MSG_CTRUNC:
            raise ProtocolError("descriptors were lost: is the limit of them too low?")
        if not data:
            raise WireLost("the other process is gone")

    async def _send_some(self, data: memoryview, beside: list[_Ancillary]) -> int:
        loop = asyncio.get_running_loop()
        while True:
            try:
                return self._sock.sendmsg([data], beside)
            except BlockingIOError:
                able = asyncio.Event()
                loop.add_writer(self._sock, able.set)
            try:
                await able.wait()
            finally:
                loop.remove_writer(self._sock)

    async def _receive_some(self) -> tuple[bytes, list[_Ancillary], int, Any]:
        loop = asyncio.get_running_loop()
        while True:
            try:
                return self._sock.recvmsg(_PIECE, _ANCILLARY_SIZE, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                able = asyncio.Event()
                loop.add_reader(self._sock, able.set)
            try:
                await able.wait()
            finally:
                loop.remove_reader(self._sock)

    def close(self) -> None:
        """Hang up; descriptors that belong to no frame are closed."""
        self._sock.close()
        for descriptor in self._reader.unclaimed:
            os.close(descriptor)
        self._reader.unclaimed.clear()


class Peer:
    """The process at the other end of a socket, by a handle that is never another one's."""

    def __init__(self, sock: socket.socket) -> None:
        """Raises OutsideError where it is not ours, or not to be seen from here."""
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        self.pid, uid, _ = _CREDENTIALS.unpack(raw)
        if uid != os.getuid():
            raise OutsideError(f"the other process is user {uid}'s")
        try:
            # It has just connected and waits for us: the number is still its own.
            self._handle = os.pidfd_open(self.pid)
        except OSError as exc:
            raise OutsideError(f"the other process can't be seen: {exc.strerror}") from exc

    async def end(self) -> None:
        """SIGKILL; returns when it is dead and all it held is closed."""
        try:
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        except ProcessLookupError:
            return
        loop = asyncio.get_running_loop()
        dead = asyncio.Event()
        loop.add_reader(self._handle, dead.set)
        try:
            await dead.wait()
        finally:
            loop.remove_reader(self._handle)

    def close(self) -> None:
        os.close(self._handle)


def _beside(descriptors: Iterable[int]) -> list[_Ancillary]:
    numbers = array.array("i", descriptors)
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers.tobytes())] if numbers else []


def _descriptors(ancillary: Iterable[_Ancillary]) -> list[int]:
    numbers = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            # The kernel may have cut the last number short.
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    return list(numbers)
