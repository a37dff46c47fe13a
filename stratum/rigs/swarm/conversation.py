"""What a rig says and hears besides jobs and shares: the handshake, and a pool's rare words.

Jobs and answers to shares never come here; the core takes them. Terms that the pool sets go into
the core: a difficulty and an extranonce for the next notify, a version mask at once (BIP 310).
"""

from __future__ import annotations

from functools import lru_cache

import hashing
from stratum.errors import UpstreamError
from stratum.protocol import upstream_lines as lines
from stratum.protocol.messages import (
    Request,
    Response,
    encode_id,
    encode_result,
    parse_line,
)
from stratum.rigs.swarm.dialects import Asked, Dialect
from stratum.units import DIFF1_TARGET

_ANY_MASK = 0xFFFFFFFF


class Conversation:
    """One rig's; it outlives connections, to resume its session."""

    __slots__ = ("_answered", "_core", "_dialect", "_has_difficulty", "_index", "_session", "_user")

    def __init__(self, core: hashing.SwarmCore, index: int, dialect: Dialect, user: str) -> None:
        self._core = core
        self._index = index
        self._dialect = dialect
        self._user = user
        self._session = ""
        self._answered = 0
        self._has_difficulty = False

    def start(self) -> bytes:
        """A new connection: the first words on it."""
        self._answered = 0
        self._has_difficulty = False
        self._core.set_version_mask(self._index, 0)
        # Until it is told otherwise a client works at difficulty 1 (rule 10).
        self._core.set_target(self._index, DIFF1_TARGET, at_once=True)
        if self._dialect.is_pipelined:
            return b"".join(self._ask(place) for place in range(len(self._dialect.asks)))
        return self._ask(0)

    @property
    def is_ready(self) -> bool:
        """Every question that matters is answered, and the pool takes shares."""
        return self._answered == self._dialect.awaited

    def hear(self, line: bytes) -> bytes:
        """Take a line; returns what it is answered.

        UpstreamError and ProtocolError end the connection.
        """
        if b'"mining.set_difficulty"' in line and b'"result"' not in line:  # the subscribe answer
            self._core.set_target(self._index, _target(line), at_once=not self._has_difficulty)
            self._has_difficulty = True
            return b""
        message = parse_line(line)
        if isinstance(message, Response):
            return self._take_answer(message)
        return self._told(message) if message is not None else b""

    def _ask(self, place: int) -> bytes:
        return self._dialect.asks[place].line(self._user, self._session)

    def _take_answer(self, response: Response) -> bytes:
        """Answers come in the order of the questions (rule 3)."""
        asks = self._dialect.asks
        if self.is_ready or response.id != asks[self._answered].id:
            return b""
        match asks[self._answered].about:
            case Asked.CONFIGURE:
                mask = lines.read_configured_mask(response.result, _ANY_MASK)
                self._core.set_version_mask(self._index, mask)
            case Asked.SUBSCRIBE:
                self._subscribed(response)
            case Asked.AUTHORIZE:
                if not lines.is_true(response):
                    code, text = lines.read_refusal(response)
                    raise UpstreamError(f"authorize refused: {code} {text}")
        self._answered += 1
        if self.is_ready:
            self._core.set_ready(self._index)
            return b""
        return b"" if self._dialect.is_pipelined else self._ask(self._answered)

    def _subscribed(self, response: Response) -> None:
        if response.error or response.result is None:
            raise UpstreamError(f"subscribe refused: {lines.read_refusal(response)[1]}")
        extranonce1, size, session = lines.read_subscription(response.result)
        self._core.set_extranonce(self._index, extranonce1, size, at_once=True)
        self._session = session or ""

    def _told(self, request: Request) -> bytes:
        match request.method:
            case "mining.set_extranonce":
                changed = lines.read_extranonce(request.params)
                self._core.set_extranonce(
                    self._index, changed.extranonce1, changed.extranonce2_size
                )
            case "mining.set_version_mask" | "mining.set_version" if self._dialect.rolls_version:
                self._core.set_version_mask(self._index, lines.read_mask(request.params))
            case "client.reconnect":
                raise UpstreamError("the pool asked to reconnect")
            case "mining.notify":  # the core takes every job that it can use
                raise UpstreamError("the pool sent a job that is of no use")
            case "client.get_version":
                return _reply(request, f"{self._dialect.name}/swarm")
            case "mining.ping":
                return _reply(request, "pong")
        return b""


@lru_cache(maxsize=4096)
def _target(line: bytes) -> int:
    """Thousands of rigs hear the very same line."""
    return lines.read_difficulty(line).target


def _reply(request: Request, result: str) -> bytes:
    return encode_result(encode_id(request.id), result) if request.wants_reply else b""
