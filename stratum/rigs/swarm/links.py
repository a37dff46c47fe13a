"""The sockets of a swarm: connect, read, write, lose.

They hang on an epoll of their own, which hangs on the event loop: one wake-up of the loop serves
every socket that has something, without a transport, a protocol and a handle for each. A share
then costs a recv, one crossing into C and a send. A stream's write path would double that.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket
import time
from collections.abc import Callable

import hashing
from hashing.tallies import IN_SIZE, LINE
from stratum.errors import ProtocolError, UpstreamError
from stratum.rigs.swarm.conversation import Conversation
from stratum.rigs.swarm.settings import SwarmSettings

_READ = select.EPOLLIN
_WRITE = select.EPOLLOUT

#: Sockets per wake-up: some milliseconds, then timers have their turn.
_BATCH = 512

#: What a pool that does not read is owed at most; what is due beyond that goes unsent.
_MAX_BACKLOG = 1 << 16

#: Linux: choose the source port at connect, so that one port serves many destinations.
_BIND_ADDRESS_NO_PORT = 24

#: A rig that never reads fills up soon.
_SMALL_BUFFER = 4096

_CLOSED = "the pool closed the connection"


class Link:
    """One rig's connection."""

    __slots__ = ("backlog", "conversation", "index", "is_mute", "recv_into", "rest", "send", "sock")

    def __init__(self, index: int, sock: socket.socket, conversation: Conversation) -> None:
        self.index = index
        self.sock = sock
        self.conversation = conversation
        self.recv_into = sock.recv_into
        self.send = sock.send
        self.rest = b""  # the beginning of a line
        self.backlog = b""  # what the socket did not take
        self.is_mute = False


class Links:
    """All connections. `on_up` hears of a rig whose shares are taken, `on_down` of its end.

    on_down's reason is for people; a link that never was up goes down just the same.
    """

    def __init__(
        self,
        core: hashing.SwarmCore,
        settings: SwarmSettings,
        conversations: list[Conversation],
        on_up: Callable[[int], None],
        on_down: Callable[[int, str], None],
    ) -> None:
        self._core = core
        self._settings = settings
        self._conversations = conversations
        self._on_up = on_up
        self._on_down = on_down
        self._by_fd: dict[int, Link] = {}
        self._by_rig: list[Link | None] = [None] * settings.rigs
        self.unsent = 0  # due, but the socket was too far behind
        self._epoll = select.epoll()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._serve)

    def close(self) -> None:
        """Hang up everywhere, without a word to on_down."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        for link in self._by_fd.values():
            link.sock.close()
        self._by_fd.clear()
        self._by_rig = [None] * self._settings.rigs

    # -- connecting ------------------------------------------------------------------------

    def connect(self, index: int) -> None:
        """Start a connection; on_up or on_down follows."""
        settings = self._settings
        try:
            sock = _dial(settings, index)
        except OSError as exc:
            self._loop.call_soon(self._on_down, index, _words(exc))
            return
        link = Link(index, sock, self._conversations[index])
        self._by_fd[sock.fileno()] = link
        self._by_rig[index] = link
        self._epoll.register(sock, _WRITE)
        link.backlog = link.conversation.start()

    def mute(self, index: int) -> None:
        """Never read from this rig's socket again."""
        link = self._by_rig[index]
        if link is not None:
            link.is_mute = True
            self._watch(link)

    def drop(self, index: int, reason: str) -> None:
        link = self._by_rig[index]
        if link is not None:
            self._lose(link, reason)

    # -- writing ---------------------------------------------------------------------------

    def submit(self, index: int, due_ns: int, now_ns: int) -> None:
        """A share of this rig is due."""
        link = self._by_rig[index]
        if link is not None and len(link.backlog) > _MAX_BACKLOG:
            self.unsent += not link.is_mute
            return
        size = self._core.submit(index, due_ns, now_ns)
        if size and link is not None:
            self._write(link, self._core.out[:size])

    def fill(self, index: int) -> None:
        """Send what the rig's window has room for."""
        link = self._by_rig[index]
        size = self._core.receive(index, 0, time.monotonic_ns())
        if size and link is not None:
            self._write(link, self._core.out[:size])

    def _write(self, link: Link, data: memoryview | bytes) -> None:
        if link.backlog:
            link.backlog += bytes(data)
            return
        try:
            sent = link.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as exc:
            self._lose(link, _words(exc))
            return
        if sent < len(data):
            link.backlog = bytes(data[sent:])
            self._watch(link)

    def _flush(self, link: Link) -> None:
        """The socket takes bytes again."""
        data, link.backlog = link.backlog, b""
        if data:
            self._write(link, data)
        if not link.backlog and link.sock.fileno() >= 0:
            self._watch(link)

    def _watch(self, link: Link) -> None:
        wanted = (0 if link.is_mute else _READ) | (_WRITE if link.backlog else 0)
        self._epoll.modify(link.sock, wanted)

    # -- reading ---------------------------------------------------------------------------

    def _serve(self) -> None:
        """Everything that sockets have, once round."""
        by_fd, core, clock = self._by_fd, self._core, time.monotonic_ns
        receive, buffer, out = core.receive, core.buffer, core.out
        for fd, events in self._epoll.poll(0, _BATCH):
            link = by_fd[fd]
            if events != _READ or link.rest:
                self._serve_oddly(link, events)
                continue
            try:
                size = link.recv_into(buffer)
            except OSError as exc:
                self._lose(link, _words(exc))
                continue
            if not size:
                self._lose(link, _CLOSED)
                continue
            answer = receive(link.index, size, clock())
            if answer > 0:
                self._write(link, out[:answer])
            elif answer:
                self._follow_up(link, answer)

    def _serve_oddly(self, link: Link, events: int) -> None:
        """Writable, in error, or with half a line from last time."""
        if events & _WRITE:
            error = link.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                self._lose(link, os.strerror(error))
                return
            self._flush(link)
        if events & ~_WRITE and self._by_rig[link.index] is link:
            self._read_on(link)

    def _read_on(self, link: Link) -> None:
        rest, link.rest = link.rest, b""
        buffer = self._core.buffer
        buffer[: len(rest)] = rest
        try:
            size = link.recv_into(buffer[len(rest) :])
        except OSError as exc:
            self._lose(link, _words(exc))
            return
        if not size:
            self._lose(link, _CLOSED)
            return
        answer = self._core.receive(link.index, len(rest) + size, time.monotonic_ns())
        if answer:
            self._follow_up(link, answer)

    def _follow_up(self, link: Link, answer: int) -> None:
        """What the core does not do: rare lines, half lines, a socket that is behind."""
        core = self._core
        while answer == LINE:
            if not self._hear(link, core.line()):
                return
            answer = core.resume(link.index, time.monotonic_ns())
        if answer < 0:
            link.rest = core.rest()
            if len(link.rest) > IN_SIZE // 2:
                self._lose(link, "the pool sent a line without end")
                return
        if core.out_size:
            self._write(link, core.out[: core.out_size])

    def _hear(self, link: Link, line: bytes) -> bool:
        """Returns whether the link is still there."""
        conversation = link.conversation
        was_ready = conversation.is_ready
        try:
            reply = conversation.hear(line)
        except (UpstreamError, ProtocolError) as exc:
            self._lose(link, str(exc))
            return False
        if reply:
            self._write(link, reply)
        if conversation.is_ready and not was_ready:
            self._on_up(link.index)
        return self._by_rig[link.index] is link

    def _lose(self, link: Link, reason: str) -> None:
        if self._by_rig[link.index] is not link:
            return  # lost already
        del self._by_fd[link.sock.fileno()]
        self._by_rig[link.index] = None
        link.sock.close()
        self._core.disconnect(link.index)
        self._on_down(link.index, reason)


def _dial(settings: SwarmSettings, index: int) -> socket.socket:
    """A socket that is connecting. Raises OSError where it can't."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if index < settings.never_read:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        source = settings.source(index)
        if source:
            sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
            sock.bind((source, 0))
        outcome = sock.connect_ex((settings.host, settings.port))
        if outcome not in (0, errno.EINPROGRESS):
            raise OSError(outcome, os.strerror(outcome))
    except OSError:
        sock.close()
        raise
    return sock


def _words(exc: OSError) -> str:
    return exc.strerror or str(exc)
