"""The client's end of Stratum V1: one conversation with a pool, for the miner and for the proxy.

An `Upstream` outlives its connections. It remembers what the next one should know: the session
id to resume, whether this pool can bear `mining.configure`, and the shares that wait for an
answer. The owner of the socket calls `connected`, feeds `receive`, sends `outgoing`, wakes at
`deadline` to call `on_time`, and ends with `disconnected`. UpstreamError means: hang up, come back.

The handshake is the one that works everywhere (reference §5.1):

    CLOSED ─ connected ─► CONFIGURE ─ answer ─► SUBSCRIBE ─ answer ─► AUTHORIZE ─ true ─► READY
                              │ error, silence for 5 s, or closed: come back without it

Everything else may come at any time, in any order; `upstream_work` says what is in force when,
`upstream_shares` which shares wait, `upstream_lines` reads, `upstream_events` are the values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from stratum.errors import ProtocolError, UpstreamError
from stratum.protocol import upstream_lines as lines
from stratum.protocol.framing import LineReader
from stratum.protocol.messages import (
    Refusal,
    Request,
    Response,
    encode_id,
    encode_request,
    encode_result,
    parse_line,
)
from stratum.protocol.upstream_events import (
    Authorized,
    AuthorizeRefused,
    Submit,
    SubmitAnswered,
    Subscribed,
    UpstreamEvent,
    UpstreamJob,
)
from stratum.protocol.upstream_shares import PendingShares, encode_submit
from stratum.protocol.upstream_work import UpstreamWork

#: A pool's notify may carry a coinbase of hundreds of payouts; a rig's line never is that long.
MAX_LINE = 1 << 16

CONFIGURE_S = 5  # reference §5.1
HANDSHAKE_S = 60  # cgminer and ESP-Miner wait as long
SILENCE_S = 90  # cgminer's and bmminer's limit; a live pool writes every 55 s
NO_WORK_S = 180  # a pool that only pings is dead too (reference §5.11)

_Events = list[UpstreamEvent]
_Handler = Callable[[Response, float], _Events]


class ConfigureRefused(UpstreamError):
    """This pool can't bear `mining.configure`. Come back at once: it won't be sent again."""


class Phase(Enum):
    """How far the handshake is."""

    CLOSED = auto()
    CONFIGURE = auto()
    SUBSCRIBE = auto()
    AUTHORIZE = auto()
    READY = auto()


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """Who we are to the pool, and what we ask for."""

    user: str
    password: str = "x"
    user_agent: str = "baseload/0.1"
    version_mask: int = 0x1FFFE000  # wanted; 0: no version rolling, no mining.configure
    min_bit_count: int = 2
    extranonce_subscribe: bool = True
    max_pending: int = 4096  # shares without an answer


class Upstream:
    """One pool as its client sees it. Bytes and `now` (seconds, any epoch) go in."""

    def __init__(self, settings: UpstreamSettings) -> None:
        self.settings = settings
        self.phase = Phase.CLOSED
        self._next_id = 1  # never used twice, so no late answer can meet the wrong question
        self._shares = PendingShares(settings.max_pending)
        self._work = UpstreamWork()

        # What one connection learns for the next.
        self._session_id: str | None = None
        self._never_configure = not settings.version_mask
        self._skip_configure = False
        self._bare_subscribe = False
        self._start_connection(-math.inf)

    def _start_connection(self, now: float) -> None:
        self._reader = LineReader(MAX_LINE)
        self._out: list[bytes] = []
        self._asked: dict[int, _Handler] = {}
        self._started_bare = self._bare_subscribe
        self._patience = math.inf  # the moment at which the handshake has taken too long
        self._heard = self._worked = now
        self._work.start(self.settings.version_mask)

    # ---- the connection ----

    def connected(self, now: float) -> None:
        """A new socket is open: start the handshake. Whatever was before is over."""
        self.disconnected()
        self._start_connection(now)
        if self._never_configure or self._skip_configure:
            self._subscribe(now)
        else:
            self._configure(now)

    def disconnected(self) -> None:
        """The socket is gone; what that tells about the pool is remembered. Harmless twice.

        Silence at configure counts for the next connection only: a pool that restarts is silent
        too, and without version rolling no modern ASIC would work.
        """
        if self.phase is Phase.CLOSED:
            return
        self._skip_configure = self.phase is Phase.CONFIGURE
        if self.phase is Phase.SUBSCRIBE:
            self._session_id = None
            self._bare_subscribe = self._bare_subscribe and not self._started_bare
        self.phase = Phase.CLOSED

    def receive(self, data: bytes, now: float) -> list[UpstreamEvent]:
        """What these bytes say. Raises UpstreamError where the connection is of no more use."""
        self._heard = now
        events: _Events = []
        try:
            for line in self._reader.lines(data):
                events += self._line(line, now)
        except ProtocolError as exc:
            raise UpstreamError(f"the pool broke the wire's rules: {exc}") from exc
        return events

    def outgoing(self) -> bytes:
        """What is to be sent, once."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def deadline(self) -> float:
        """When `on_time` has something to do; infinity for never."""
        if self.phase is Phase.CLOSED:
            return self._shares.deadline()
        no_work = self._worked + NO_WORK_S if self.phase is Phase.READY else math.inf
        return min(self._shares.deadline(), self._patience, self._heard + SILENCE_S, no_work)

    def on_time(self, now: float) -> list[UpstreamEvent]:
        """Give up what waited too long: a share is reported, a dead pool raises UpstreamError."""
        if self.phase is not Phase.CLOSED:
            self._check_patience(now)
        return [*self._shares.expire(now)]

    def _check_patience(self, now: float) -> None:
        if now >= self._patience:
            if self.phase is Phase.CONFIGURE:
                raise ConfigureRefused(f"no answer to mining.configure in {CONFIGURE_S} s")
            name = self.phase.name.lower()
            raise UpstreamError(f"no answer to mining.{name} in {HANDSHAKE_S} s")
        if now >= self._heard + SILENCE_S:
            raise UpstreamError(f"the pool was silent for {SILENCE_S} s")
        if self.phase is Phase.READY and now >= self._worked + NO_WORK_S:
            raise UpstreamError(f"the pool sent no work for {NO_WORK_S} s")

    # ---- what the owner asks ----

    @property
    def pending(self) -> int:
        """How many shares wait for an answer."""
        return len(self._shares)

    def submit(
        self,
        job: UpstreamJob,
        extranonce2: bytes,
        ntime: int,
        nonce: int,
        version_bits: int,
        now: float,
        user: str | None = None,
    ) -> int:
        """Send a share, or keep it for the next connection; its id comes back with the answer.

        Raises UpstreamError when too many wait already, ValueError for a share that is not of
        this job.
        """
        if len(extranonce2) != job.extranonce2_size:
            size = job.extranonce2_size
            raise ValueError(f"extranonce2 is {len(extranonce2)} bytes, job has {size}")
        if version_bits & ~job.version_mask:  # BIP 310: version_bits & ~mask == 0
            raise ValueError(f"version_bits {version_bits:08x} leave mask {job.version_mask:08x}")

        name = self.settings.user if user is None else user
        share = Submit(self._new_id(), name, job, extranonce2, ntime, nonce, version_bits, now)
        self._shares.add(share)
        if self.phase is Phase.READY:
            self._out.append(encode_submit(share))
        return share.id

    def authorize(self, user: str, password: str) -> None:
        """Ask for one more worker name; Authorized or AuthorizeRefused will tell."""

        def answered(response: Response, now: float) -> _Events:
            if lines.is_true(response):
                return [Authorized(user)]
            return [AuthorizeRefused(user, *lines.read_refusal(response))]

        self._ask("mining.authorize", [user, password], answered)

    # ---- the handshake ----

    def _configure(self, now: float) -> None:
        options = {
            "version-rolling.mask": f"{self.settings.version_mask:08x}",
            "version-rolling.min-bit-count": self.settings.min_bit_count,
        }
        self._enter(Phase.CONFIGURE, now + CONFIGURE_S)
        self._ask("mining.configure", [["version-rolling"], options], self._on_configured)

    def _on_configured(self, response: Response, now: float) -> _Events:
        if response.error or type(response.result) is not dict:
            self._never_configure = True
            _, text = lines.read_refusal(response)
            raise ConfigureRefused(f"the pool refuses mining.configure: {text}")
        wanted = self.settings.version_mask
        self._work.configured(lines.read_configured_mask(response.result, wanted))
        self._subscribe(now)
        return []

    def _subscribe(self, now: float) -> None:
        params: list[Any] = []
        if not self._bare_subscribe:
            params = [self.settings.user_agent]
            if self._session_id is not None:
                params.append(self._session_id)
        self._enter(Phase.SUBSCRIBE, now + HANDSHAKE_S)
        self._ask("mining.subscribe", params, self._on_subscribed)

    def _on_subscribed(self, response: Response, now: float) -> _Events:
        if response.error or response.result is None:
            return self._retry_bare(response, now)
        extranonce1, size, self._session_id = lines.read_subscription(response.result)
        resumed = self._work.subscribed(extranonce1, size)

        self._enter(Phase.AUTHORIZE, now + HANDSHAKE_S)
        if self.settings.extranonce_subscribe:
            self._ask("mining.extranonce.subscribe", [], _ignore)
        names = [self.settings.user, self.settings.password]
        self._ask("mining.authorize", names, self._on_authorized)
        return [Subscribed(extranonce1, size, self._session_id, resumed)]

    def _retry_bare(self, response: Response, now: float) -> _Events:
        """Some pools know no user agent or session: once more without, as cgminer does."""
        if self._bare_subscribe:
            _, text = lines.read_refusal(response)
            raise UpstreamError(f"the pool refuses mining.subscribe: {text}")
        self._bare_subscribe = True
        self._subscribe(now)
        return []

    def _on_authorized(self, response: Response, now: float) -> _Events:
        if not lines.is_true(response):
            self._patience = math.inf
            return [AuthorizeRefused(self.settings.user, *lines.read_refusal(response))]
        self._enter(Phase.READY, math.inf)
        self._worked = now
        return [Authorized(self.settings.user), *self._resend(now), *self._work.release()]

    def _enter(self, phase: Phase, patience: float) -> None:
        self.phase = phase
        self._patience = patience

    # ---- what the pool says ----

    def _line(self, line: bytes, now: float) -> _Events:
        message = parse_line(line)
        if message is None:
            return []
        if isinstance(message, Response):
            return self._answer(message, now)
        return [] if message.too_deep else self._told(message, line, now)

    def _answer(self, response: Response, now: float) -> _Events:
        if type(response.id) is not int:  # ours are integers; True would find 1
            return []
        handler = self._asked.pop(response.id, None)
        if handler is not None:
            return handler(response, now)
        share = self._shares.take(response.id)
        if share is None:
            return []
        if lines.is_true(response):
            return [SubmitAnswered(share.id, True, 0, "", share)]
        return [SubmitAnswered(share.id, False, *lines.read_refusal(response), share)]

    def _told(self, message: Request, line: bytes, now: float) -> _Events:
        match message.method:
            case "mining.notify":
                self._worked = now
                return self._work.notify(message.params)
            case "mining.set_difficulty":
                return self._work.set_difficulty(lines.read_difficulty(line))
            case "mining.set_extranonce":
                return self._work.set_extranonce(lines.read_extranonce(message.params))
            case "mining.set_version_mask" | "mining.set_version":  # the latter is SRI's spelling
                return self._work.set_mask(lines.read_mask(message.params))
            case "client.reconnect":
                return [lines.read_reconnect(message.params)]
            case "client.show_message":
                return [lines.read_message(message.params)]
            case "client.get_version":
                self._reply(message, self.settings.user_agent)
            case "mining.ping":
                self._reply(message, "pong")
        return []

    # ---- requests ----

    def _resend(self, now: float) -> _Events:
        """After a reconnect a share still counts only if it was built with this extranonce1."""
        assert self._work.extranonce1 is not None
        lost = [*self._shares.expire(now), *self._shares.keep_only(self._work.extranonce1)]
        self._out += self._shares.encode()
        return [*lost]

    def _ask(self, method: str, params: list[Any], handler: _Handler) -> None:
        request_id = self._new_id()
        self._asked[request_id] = handler
        self._out.append(encode_request(request_id, method, params))

    def _reply(self, request: Request, result: str) -> None:
        if not request.wants_reply:
            return
        try:
            self._out.append(encode_result(encode_id(request.id), result))
        except Refusal:
            return  # an id too long to echo

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1


def _ignore(response: Response, now: float) -> _Events:
    return []
