"""The conversation with one rig: bytes in; replies, difficulties and jobs out.

    connected ──subscribe──▶ subscribed ──authorize──▶ ready
        └─────authorize──▶ named ───────subscribe──▶ ready

configure, suggest_* and extranonce.subscribe are welcome at any time. A session that becomes
ready gets set_difficulty and a job with clean_jobs, after the reply that made it ready and never
before (rules 4, 5, 10). After that set_difficulty is only ever written right before a notify
(rule 9), and what was asked of us is answered strictly in order (rule 3).

Sans-IO: the connection feeds bytes and the time, and takes away bytes. `now` is Unix time.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from stratum.events import RigConnected, RigDisconnected
from stratum.mining.conduct import CloseSession, Conduct
from stratum.mining.difficulty import DifficultyControl
from stratum.mining.extranonce import ExtranonceSpaceFull
from stratum.mining.intake import Intake
from stratum.mining.jobs import Job
from stratum.mining.judge import judge
from stratum.mining.limits import MALFORMED_REQUEST, STRIKE
from stratum.mining.names import Payee, read_password
from stratum.mining.rate import RateMeter
from stratum.mining.rig import MAX_WORKERS, Rig, SentJob
from stratum.mining.settings import TierSettings
from stratum.mining.site import Site
from stratum.mining.verdicts import REJECTION, Verdict
from stratum.protocol import downstream as wire
from stratum.protocol.framing import ForeignProtocol, LineTooLong
from stratum.protocol.messages import (
    ErrorCode,
    MalformedLine,
    Refusal,
    Request,
    Response,
    encode_error,
    encode_id,
    encode_result,
    encode_set_difficulty,
    parse_line,
)

#: Slow Wi-Fi rigs take their time, slowloris takes more; DATUM and btcpool allow 15 s.
LINE_DEADLINE = 30.0
AUTHORIZE_DEADLINE = 60.0

#: Without a line for so long a rig is gone (DATUM). A small rig may need an hour for a share, and
#: TCP keepalive finds a dead one in 90 s: a shorter limit would only make slow rigs reconnect.
IDLE_LIMIT = 7200.0


class Rejection(Refusal):
    """What was understood and refused, a share above all: it never counts as malformed input."""


class Session:
    """One rig's conversation."""

    __slots__ = (
        "_announced",
        "_conduct",
        "_former",
        "_is_resumed",
        "_generation",
        "_intake",
        "_job_id",
        "_out",
        "_site",
        "address",
        "connected_at",
        "difficulty",
        "is_ready",
        "last_line",
        "peer",
        "rig",
        "user_agent",
        "wants_refresh",
        "worker_name",
    )

    def __init__(
        self, site: Site, tier_index: int, tier: TierSettings, peer: str, address: str, now: float
    ) -> None:
        self._site = site
        self._conduct = Conduct(site.gatekeeper, site.limits.ban_score, address)
        self._intake = Intake(site.limits.lines_per_second, now)
        self._out: list[bytes] = []
        self._announced = 0  # weight the rig was last told
        self._job_id: str | None = None  # the job the rig works on
        self._generation = -1  # the previous block it works on
        self._former: Rig | None = None  # the connection that this one resumes
        self._is_resumed = False
        self.rig = Rig(tier_index, RateMeter(now))
        self.difficulty = DifficultyControl(site.network, tier, now)
        self.peer = peer
        self.address = address
        self.user_agent = ""
        self.worker_name = ""
        self.connected_at = now
        self.last_line = now
        self.is_ready = False
        self.wants_refresh = False

    # -- from the socket -------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> None:
        """Take what the socket gave. Raises CloseSession where the connection must end."""
        self._intake.feed(data)
        self.go_on(now)

    def go_on(self, now: float) -> None:
        """Answer as many lines as the budget pays for; the rest waits for `throttled_for`."""
        try:
            while (line := self._intake.next_line(now)) is not None:
                self._take_line(line, now)
        except ForeignProtocol as foreign:
            self._conduct.offend(STRIKE if foreign.strike else 0, now)
            raise CloseSession(str(foreign)) from foreign
        except (LineTooLong, MalformedLine) as malformed:
            self._conduct.offend(STRIKE, now)
            raise CloseSession(str(malformed)) from malformed

    @property
    def is_throttled(self) -> bool:
        """Lines are waiting for budget: nothing more should be read from the socket."""
        return self._intake.is_throttled

    @property
    def throttled_for(self) -> float:
        """Seconds until a waiting line can be paid for."""
        return self._intake.throttled_for

    def take_outgoing(self) -> bytes:
        """What must be written now, in order."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    # -- from the pool ---------------------------------------------------------------------

    def send_job(self, job: Job, clean_jobs: bool, now: float) -> None:
        """Give the rig a job, and before it the difficulty if that has changed."""
        if not self.is_ready or self._job_id == job.job_id:
            return
        rig, site = self.rig, self._site
        assert rig.payee is not None
        if job.job_id in rig.sent:
            self.wants_refresh = True
            return
        variant = site.pool.variant(job.work, rig.payee.script_pubkey)
        if variant is None:
            self._job_id = None  # its coinbase layout is being proved; the server offers it then
            return

        self.difficulty.adjust(now)
        weight = min(self.difficulty.weight, job.work.weight_limit)
        # A template's required bits cut into the mask: a rig that rolls hears of it first.
        if (before := rig.mask) and rig.grant(job.work.version_mask) not in (0, before):
            self._out.append(wire.set_version_mask(rig.mask))
        if weight != self._announced:
            self._out.append(encode_set_difficulty(site.network.scale.wire(weight)))
            self._announced = weight
        is_other_block = job.work.generation != self._generation
        self._out.append(job.notify(variant, clean_jobs or is_other_block))
        self._job_id = job.job_id
        self._generation = job.work.generation
        self.wants_refresh = False
        rig.remember(SentJob(job, weight), variant)

    @property
    def has_job(self) -> bool:
        return self._job_id is not None

    def show_message(self, text: str) -> None:
        """Tell the rig's owner, where the firmware is known to take it (ckpool's rule)."""
        if self.is_ready and "gminer" in self.user_agent:
            self._out.append(wire.show_message(text))

    # -- from the clock --------------------------------------------------------------------

    def on_time(self, now: float) -> None:
        """Look at vardiff and at the deadlines, about once a second. Raises CloseSession."""
        if self._intake.unfinished_for(now) > LINE_DEADLINE:
            self._conduct.offend(STRIKE, now)
            raise CloseSession(f"no whole line in {LINE_DEADLINE:.0f} s")
        age = now - self.connected_at
        if age > LINE_DEADLINE and self.rig.extranonce1 is None and self.rig.payee is None:
            raise CloseSession(f"neither subscribed nor authorized in {LINE_DEADLINE:.0f} s")
        if age > AUTHORIZE_DEADLINE and not self.is_ready:
            raise CloseSession(f"not authorized in {AUTHORIZE_DEADLINE:.0f} s")
        if now - self.last_line > IDLE_LIMIT:
            raise CloseSession("idle")
        if self.has_job and self.difficulty.should_change(now):
            self.wants_refresh = True

    def closed(self, reason: str, now: float) -> None:
        """The connection is gone: give back what it held."""
        if self.rig.extranonce1 is not None:
            self._site.extranonces.release(self.rig.extranonce1, now)
            self._site.departed.leave(self._former or self.rig, now)
        if self.is_ready:
            self._site.gatekeeper.stopped_working(self.address)
            self._site.emit(RigDisconnected(self.peer, self.worker_name, reason))

    # -- lines -----------------------------------------------------------------------------

    def _take_line(self, line: bytes, now: float) -> None:
        message = parse_line(line)
        if message is None:
            return
        self.last_line = now
        if isinstance(message, Request):
            self._take_request(message, now)
        else:
            self._take_response(message)

    def _take_request(self, request: Request, now: float) -> None:
        if request.method is None:
            self._conduct.offend(MALFORMED_REQUEST, now)
            return
        if request.method == "pong":
            return  # ESP-Miner's answer to a ping has a method and no result
        try:
            encoded_id = encode_id(request.id)
        except Refusal as refusal:
            self._out.append(encode_error(b"null", refusal.code, refusal.text))
            self._conduct.offend(MALFORMED_REQUEST, now)
            return

        answer, offence = self._answer(request, encoded_id, now)
        if request.wants_reply:
            self._out.append(answer)
        self._conduct.offend(offence, now)
        if not self.is_ready and self.rig.extranonce1 is not None and self.rig.payee is not None:
            self._begin(now)

    def _take_response(self, response: Response) -> None:
        """An answer to a question of ours, or a pong that nobody asked for."""
        if response.id == wire.GET_VERSION_ID and type(response.result) is str:
            self.user_agent = wire.printable(response.result)[: wire.MAX_USER_AGENT]

    def _begin(self, now: float) -> None:
        """Subscribed and authorized: the first job, after the reply that made it so."""
        self.is_ready = True
        site = self._site
        former, self._former = self._former, None
        if former is not None:
            self.rig.inherit(former)
        site.gatekeeper.started_working(self.address)
        site.emit(RigConnected(self.peer, self.worker_name, self.user_agent))
        if not self.user_agent:
            self._out.append(wire.get_version())
        # A resumed rig counts its extranonce2 from 0 again: on a job it had it would repeat itself.
        job = site.pool.refresh(now) if self._is_resumed else site.pool.current
        if job is not None:
            self.send_job(job, True, now)
        if site.notice:
            self.show_message(site.notice)

    # -- requests --------------------------------------------------------------------------

    def _answer(self, request: Request, encoded_id: bytes, now: float) -> tuple[bytes, int]:
        """The reply, and what the request costs as malformed input."""
        method = request.method
        handler = _HANDLERS.get(method) if type(method) is str else None
        try:
            if request.too_deep:
                raise Refusal(ErrorCode.OTHER, "nesting is too deep")
            if handler is None:
                raise Refusal(ErrorCode.METHOD_NOT_FOUND, "Method not found")
            return encode_result(encoded_id, handler(self, request.params, now)), 0
        except Rejection as rejection:
            return encode_error(encoded_id, rejection.code, rejection.text), 0
        except Refusal as refusal:
            result = b"false" if method == "mining.authorize" else b"null"
            is_malformed = refusal.code == ErrorCode.OTHER or type(method) is not str
            offence = MALFORMED_REQUEST if is_malformed else 0
            return encode_error(encoded_id, refusal.code, refusal.text, result), offence

    def _configure(self, params: Any, now: float) -> Any:
        request = wire.read_configure(params)
        mask = 0
        if request.version_rolling_mask is not None:
            self.rig.requested_mask = request.version_rolling_mask
            current = self._site.pool.current
            offered = current.work.version_mask if current else wire.VERSION_ROLLING_MASK
            before, mask = self.rig.mask, self.rig.grant(offered)
            self._ask_refresh(mask != before)
        if request.minimum_difficulty is not None:
            minimum = request.minimum_difficulty or None
            self._ask_refresh(self.difficulty.set_minimum(minimum, now))
        return wire.configure_result(request, mask)

    def _subscribe(self, params: Any, now: float) -> Any:
        """A second one gets the same answer: cpuminer repeats itself that way (rule 19)."""
        request = wire.read_subscribe(params)
        extranonces = self._site.extranonces
        if self.rig.extranonce1 is None:
            resumed = extranonces.resume(request.session_id, self.address)
            if resumed is not None:
                self._is_resumed = True
                self._former = self._site.departed.take_back(resumed, now)
            self.rig.extranonce1 = resumed or self._allot(now)
            self.user_agent = request.user_agent
        session_id = extranonces.session_id(self.rig.extranonce1, self.address)
        return wire.subscribe_result(session_id, self.rig.extranonce1, wire.EXTRANONCE2_SIZE)

    def _allot(self, now: float) -> bytes:
        try:
            return self._site.extranonces.allot(now)
        except ExtranonceSpaceFull as exc:
            raise CloseSession("every extranonce1 is in use") from exc

    def _authorize(self, params: Any, now: float) -> Any:
        try:
            request = wire.read_authorize(params)
            payee = self._payee(request)
        except Refusal:
            self._conduct.refused_authorize(now)
            raise
        if self.rig.payee is None:
            self.rig.payee = payee
            self.worker_name = request.worker_name
            self.difficulty.set_wishes(read_password(request.password), now)
        self.rig.workers[request.worker_name] = payee
        return True

    def _payee(self, request: wire.Authorize) -> Payee:
        rig, payees = self.rig, self._site.payees
        if request.worker_name not in rig.workers and len(rig.workers) >= MAX_WORKERS:
            raise Refusal(ErrorCode.UNAUTHORIZED, f"more than {MAX_WORKERS} workers")
        payee = payees.payee(request.account)
        if rig.payee and payee.account != rig.payee.account and payees.one_account_per_connection:
            raise Refusal(ErrorCode.UNAUTHORIZED, "this connection mines for another account")
        return payee

    def _suggest_difficulty(self, params: Any, now: float) -> Any:
        return self._suggest(wire.read_suggested_difficulty(params), now)

    def _suggest_target(self, params: Any, now: float) -> Any:
        return self._suggest(wire.read_suggested_target(params), now)

    def _suggest(self, difficulty: Fraction, now: float) -> Any:
        if difficulty:  # 0 is "no wish"
            self._ask_refresh(self.difficulty.suggest(difficulty, now))
        return True

    def _say_true(self, params: Any, now: float) -> Any:
        """Anything but true or an object counts as a rejected share in old firmware (rule 8)."""
        return True

    def _not_supported(self, params: Any, now: float) -> Any:
        """A block's transactions are megabytes: not for whoever asks."""
        raise Rejection(ErrorCode.OTHER, "Not supported")

    def _submit(self, params: Any, now: float) -> Any:
        verdicts = self._site.totals.verdicts
        try:
            submit = wire.read_submit(params, wire.EXTRANONCE2_SIZE)
        except Refusal:
            verdicts[Verdict.MALFORMED] += 1
            self.rig.rejected += 1
            raise
        judgement = judge(self._site, self.rig, submit, now)
        verdicts[judgement.verdict] += 1
        if judgement.verdict is Verdict.ACCEPTED:
            self._conduct.worked()
            weight = self.rig.sent[submit.job_id].weight
            self._ask_refresh(self.difficulty.share(weight, now))
            return True
        self.rig.rejected += 1
        if judgement.verdict is Verdict.LOW_DIFFICULTY:
            self._conduct.junk(now)
        code, text = REJECTION[judgement.verdict]
        raise Rejection(code, judgement.reason or text)

    # -- inside ----------------------------------------------------------------------------

    def _ask_refresh(self, is_needed: bool) -> None:
        """Content is never sent twice under two ids: what changes goes out with a fresh job."""
        if is_needed and self.is_ready:
            self.wants_refresh = True


_Handler = Callable[[Session, Any, float], Any]

_HANDLERS: dict[str, _Handler] = {
    "mining.configure": Session._configure,
    "mining.subscribe": Session._subscribe,
    "mining.authorize": Session._authorize,
    "mining.suggest_difficulty": Session._suggest_difficulty,
    "mining.suggest_target": Session._suggest_target,
    "mining.extranonce.subscribe": Session._say_true,
    "mining.multi_version": Session._say_true,
    "mining.get_transactions": Session._not_supported,
    "mining.get_txnhashes": Session._not_supported,
    "mining.submit": Session._submit,
}
