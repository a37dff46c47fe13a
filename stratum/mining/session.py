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

from stratum.events import RigConnected, RigDisconnected
from stratum.mining.conduct import CloseSession, Conduct
from stratum.mining.departed import Remains, remains_of
from stratum.mining.difficulty import DifficultyControl
from stratum.mining.intake import Intake
from stratum.mining.jobs import Job, microseconds
from stratum.mining.limits import MALFORMED_REQUEST, STRIKE
from stratum.mining.outbox import Outbox
from stratum.mining.requests import answer
from stratum.mining.rig import Rig
from stratum.mining.settings import TierSettings
from stratum.mining.site import RefusedShares, Site
from stratum.mining.verdicts import NUMBER, Verdict
from stratum.protocol import downstream as wire
from stratum.protocol.framing import ForeignProtocol, LineTooLong
from stratum.protocol.messages import (
    MalformedLine,
    Refusal,
    Request,
    Response,
    encode_error,
    encode_id,
    encode_set_difficulty,
    parse_line,
)

#: Slow Wi-Fi rigs take their time, slowloris takes more; DATUM and btcpool allow 15 s.
LINE_DEADLINE = 30.0
AUTHORIZE_DEADLINE = 60.0

#: Without a line for so long a rig is gone (DATUM). A small rig may need an hour for a share, and
#: TCP keepalive finds a dead one in 90 s: a shorter limit would only make slow rigs reconnect.
IDLE_LIMIT = 7200.0

#: Vardiff looks at a rig when its patience is at an end, and earlier when so many shares have come
#: since: eight are what its RISE believes.
LOOK_SHARES = 8

_NEVER = 2**63 - 1


class Session:
    """One rig's conversation."""

    __slots__ = (
        "_is_ready",
        "_lacks_job",
        "_wants_refresh",
        "address",
        "conduct",
        "connected_at",
        "difficulty",
        "intake",
        "is_resumed",
        "out",
        "peer",
        "remains",
        "rig",
        "site",
        "user_agent",
    )

    def __init__(
        self, site: Site, tier_index: int, tier: TierSettings, peer: str, address: str, now: float
    ) -> None:
        self.site = site
        self.conduct = Conduct(site.gatekeeper, site.limits.ban_score, address)
        self.out = Outbox(site)
        self.remains: Remains | None = None  # of the connection that this one resumes
        self.is_resumed = False
        self._is_ready = False
        self._lacks_job = True  # none was sent, or what was sent is withdrawn
        self._wants_refresh = False
        self.rig = Rig(tier_index, site.gate.open_session())
        self.intake = Intake(site, self.rig, self.out.put)
        self.difficulty = DifficultyControl(site.network, tier, now)
        self.peer = peer
        self.address = address
        self.user_agent = ""
        self.connected_at = now
        self.rig.state.last_line_us = microseconds(now)
        self._look_again(now)

    # -- from the socket -------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes as a connection does, which has the socket write them to `intake.room`."""
        while data:
            room = self.intake.room()
            piece, data = data[: len(room)], data[len(room) :]
            room[: len(piece)] = piece
            if answers := self.intake.answer(len(piece), microseconds(now)):
                self.out.put(answers)
            else:
                self.take_lines(now)

    def postpone(self, now: float) -> None:
        """Keep what has arrived for `go_on`."""
        self.intake.keep_rest(microseconds(now))

    def go_on(self, now: float) -> None:
        """Answer what waited for its turn or for budget, as far as that reaches now."""
        self.intake.room()
        self.intake.arrived(0)
        self.take_lines(now)

    @property
    def is_throttled(self) -> bool:
        """Lines are waiting: nothing more should be read from the socket."""
        return self.intake.is_throttled

    @property
    def throttled_for(self) -> float:
        """Seconds until a waiting line can be taken."""
        return self.intake.throttled_for

    # -- from the pool ---------------------------------------------------------------------

    def send_job(self, job: Job, clean_jobs: bool, now: float) -> None:
        """Give the rig a job, and before it the difficulty if that has changed."""
        rig, state, site = self.rig, self.rig.state, self.site
        if not self._is_ready or (self.has_job and state.newest == job.number):
            return
        if state.weight_of(job.number) is not None:
            self.wants_refresh = True
            return
        assert rig.payee is not None
        if not site.pool.offers(job.work, rig.payee):
            self._lacks_job = True  # its coinbase layout is being proved: it is offered then
            self._renew_plainness()
            return

        self._look(now)
        self.difficulty.adjust(now)
        weight = min(self.difficulty.weight, job.work.weight_limit)
        # A template's required bits cut into the mask: a rig that rolls hears of it first.
        if (before := rig.mask) and rig.grant(job.work.version_mask) not in (0, before):
            self.out.put(wire.set_version_mask(rig.mask))
        if weight != state.weight:
            self.out.put(encode_set_difficulty(site.network.scale.wire(weight)))
            state.weight = weight
        self.out.put(job.notify(rig.payee, clean_jobs or self._is_on_other_block(job)))
        state.remember(job.number, weight)
        self.wants_refresh = False
        if self._lacks_job:
            self._lacks_job = False
            self._renew_plainness()
            self._look_again(now)

    @property
    def has_job(self) -> bool:
        return not self._lacks_job

    @property
    def is_ready(self) -> bool:
        """Subscribed and authorized."""
        return self._is_ready

    @property
    def worker_name(self) -> str:
        """The first one; empty before there is one."""
        return self.rig.workers[0].name if self.rig.workers else ""

    @property
    def wants_refresh(self) -> bool:
        """It needs another job soon: its difficulty or its mask has changed."""
        return self._wants_refresh

    @wants_refresh.setter
    def wants_refresh(self, wanted: bool) -> None:
        self._wants_refresh = wanted
        self._renew_plainness()

    def _is_on_other_block(self, job: Job) -> bool:
        """Whether what the rig has now is not of this job's previous block."""
        newest = None if self._lacks_job else self.rig.state.newest
        last = None if newest is None else self.site.pool.job(f"{newest:08x}")
        return last is None or last.work.generation != job.work.generation

    def _renew_plainness(self) -> None:
        """A plain session is sent a job like thousands of others, past `send_job`."""
        waits = self._lacks_job or self._wants_refresh
        self.rig.state.is_plain = not waits and not self.site.is_strict
        if waits and self._is_ready:
            self.site.waiting.add(self)
        else:
            self.site.waiting.discard(self)

    def show_message(self, text: str) -> None:
        """Tell the rig's owner, where the firmware is known to take it (ckpool's rule)."""
        if self._is_ready and "gminer" in self.user_agent:
            self.out.put(wire.show_message(text))

    # -- from the clock --------------------------------------------------------------------

    def on_time(self, now: float) -> None:
        """Look at vardiff and at the deadlines: when the gate says that one is due, or earlier.
        Raises CloseSession."""
        if not self._is_ready or self.intake.has_unfinished or now - self.last_line > IDLE_LIMIT:
            self._check_deadlines(now)
        if self.has_job and self._look(now):
            self.wants_refresh = True
        self._look_again(now)

    def _check_deadlines(self, now: float) -> None:
        intake = self.intake
        if intake.has_unfinished and now - intake.unfinished_since > LINE_DEADLINE:
            self.conduct.offend(STRIKE, now)
            raise CloseSession(f"no whole line in {LINE_DEADLINE:.0f} s")
        age = now - self.connected_at
        if age > LINE_DEADLINE and self.rig.extranonce1 is None and self.rig.payee is None:
            raise CloseSession(f"neither subscribed nor authorized in {LINE_DEADLINE:.0f} s")
        if age > AUTHORIZE_DEADLINE and not self._is_ready:
            raise CloseSession(f"not authorized in {AUTHORIZE_DEADLINE:.0f} s")
        if now - self.last_line > IDLE_LIMIT:
            raise CloseSession("idle")

    @property
    def last_line(self) -> float:
        """When the rig last said anything, in Unix time."""
        return self.rig.state.last_line_us / 1_000_000

    @property
    def unread(self) -> bytes:
        """Bytes that wait for the rest of their line, or for budget."""
        return self.intake.unread

    def go_on_as(self, has_job: bool, unread: bytes, now: float) -> None:
        """This session was another process's; it goes on as it was, and says nothing."""
        self.intake.room()[: len(unread)] = unread
        self.intake.arrived(len(unread))
        self.intake.keep_rest(microseconds(now))
        self._is_ready = self.rig.extranonce1 is not None and self.rig.payee is not None
        self.intake.is_checked = True
        if self._is_ready:
            self.intake.open()
            self.site.rigs += 1
            self.site.gatekeeper.started_working(self.address)
        self._lacks_job = not has_job
        self._renew_plainness()
        self._look_again(now)

    def closed(self, reason: str, now: float) -> None:
        """The connection is gone: give back what it held."""
        rig = self.rig
        if rig.extranonce1 is not None:
            self.site.extranonces.release(rig.extranonce1, now)
            remains = remains_of(rig) or self.remains
            if remains is not None:
                self.site.departed.leave(rig.extranonce1, remains, now)
        self.report_refused()
        self.site.waiting.discard(self)
        rig.state.close()
        if self._is_ready:
            self.site.rigs -= 1
            self.site.gatekeeper.stopped_working(self.address)
            self.site.emit(RigDisconnected(self.peer, self.worker_name, reason))

    def report_refused(self) -> None:
        """Tell the books what was refused since the last time; about once a minute and at close."""
        rig = self.rig
        for index, worker in enumerate(rig.workers):
            counts = rig.state.take_rejects(index)
            if not any(counts):
                continue
            by_cause = {verdict: counts[NUMBER[verdict]] for verdict in Verdict}
            is_known = any(rig.state.worker_ids(index))
            self.site.refused(
                RefusedShares(
                    worker.payee.account if is_known else "",
                    worker.payee.script_pubkey,
                    worker.name,
                    rig.tier,
                    {verdict: count for verdict, count in by_cause.items() if count},
                )
            )

    def ask_refresh(self, is_needed: bool) -> None:
        """Content is never sent twice under two ids: what changes goes out with a fresh job."""
        if is_needed and self._is_ready:
            self.wants_refresh = True

    def _look(self, now: float) -> bool:
        """Show vardiff what came since it last looked; whether it wishes another difficulty."""
        return self.difficulty.look(self.rig.state.work, now)

    def _look_again(self, now: float) -> None:
        """Have the gate call for the next look, or for the next deadline."""
        state, runs = self.rig.state, self.difficulty.runs
        looks = runs and not self._lacks_job
        wake = now + self.difficulty.patience(now) if looks else self.last_line + IDLE_LIMIT
        if self.intake.has_unfinished:
            wake = min(wake, self.intake.unfinished_since + LINE_DEADLINE)
        if not self._is_ready:
            deadlines = self.connected_at + LINE_DEADLINE, self.connected_at + AUTHORIZE_DEADLINE
            wake = min(wake, *(deadline for deadline in deadlines if deadline >= now))
        # Deadlines are "more than" so long ago.
        state.wake_us = int(wake * 1_000_000) + 1_000
        state.wake_shares = state.shares + LOOK_SHARES if runs else _NEVER

    # -- lines -----------------------------------------------------------------------------

    def take_lines(self, now: float) -> None:
        """Answer as many lines as the budget pays for; the rest waits for `throttled_for`.
        Raises CloseSession where the connection must end."""
        intake, now_us = self.intake, microseconds(now)
        try:
            while (line := intake.next_line(now_us)) is not None:
                self._take_line(line, now)
        except ForeignProtocol as foreign:
            self.conduct.offend(STRIKE if foreign.strike else 0, now)
            raise CloseSession(str(foreign)) from foreign
        except (LineTooLong, MalformedLine) as malformed:
            self.conduct.offend(STRIKE, now)
            raise CloseSession(str(malformed)) from malformed
        if intake.has_unfinished:
            self._look_again(now)  # the line's end has a deadline now

    def _take_line(self, line: bytes, now: float) -> None:
        message = parse_line(line)
        if message is None:
            return
        self.rig.state.last_line_us = microseconds(now)
        if isinstance(message, Request):
            self._take_request(message, now)
        else:
            self._take_response(message)

    def _take_request(self, request: Request, now: float) -> None:
        if request.method is None:
            self.conduct.offend(MALFORMED_REQUEST, now)
            return
        if request.method == "pong":
            return  # ESP-Miner's answer to a ping has a method and no result
        try:
            encoded_id = encode_id(request.id)
        except Refusal as refusal:
            self.out.put(encode_error(b"null", refusal.code, refusal.text))
            self.conduct.offend(MALFORMED_REQUEST, now)
            return

        reply, offence = answer(self, request, encoded_id, now)
        if request.wants_reply:
            self.out.put(reply)
        self.conduct.offend(offence, now)
        if not self._is_ready and self.rig.extranonce1 is not None and self.rig.payee is not None:
            self._begin(now)

    def _take_response(self, response: Response) -> None:
        """An answer to a question of ours, or a pong that nobody asked for."""
        if response.id == wire.GET_VERSION_ID and type(response.result) is str:
            self.user_agent = wire.printable(response.result)[: wire.MAX_USER_AGENT]

    def _begin(self, now: float) -> None:
        """Subscribed and authorized: the first job, after the reply that made it so."""
        self._is_ready = True
        self.site.rigs += 1
        self.intake.open()
        site = self.site
        remains, self.remains = self.remains, None
        if remains is not None:
            remains.revive(self.rig)
        site.gatekeeper.started_working(self.address)
        site.emit(RigConnected(self.peer, self.worker_name, self.user_agent))
        if not self.user_agent:
            self.out.put(wire.get_version())
        self._renew_plainness()
        # A resumed rig counts its extranonce2 from 0 again: on a job it had it would repeat itself.
        job = site.pool.refresh(now) if self.is_resumed else site.pool.current
        if job is not None:
            self.send_job(job, True, now)
        if site.notice:
            self.show_message(site.notice)
