"""One pool, put together: the only place where its parts meet.

    nodes ──tip, template──▶ pool ──job──▶ server ──bytes──▶ rigs
    rigs ──share──▶ session ──▶ scribe (log)
                       └─block──▶ submitter ──▶ nodes

News comes up as events and callables; what runs here is wiring, the order of a start and of a
stop, and the two clocks that belong to nobody else: the 30 s refresh, and how long rigs may wait
without work.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import time
from collections.abc import Callable

import hashing
from stratum import __version__
from stratum.app.clock import SteadyClock
from stratum.app.descriptors import RoomWatch
from stratum.app.drought import WAITING, Drought
from stratum.app.handover_give import Giving
from stratum.app.handover_house import House
from stratum.app.handover_take import Taken
from stratum.app.layouts import LayoutProver
from stratum.app.local_sockets import BOOKS_SOCKET, HANDOVER_SOCKET, SERVE_SOCKET, Meeting
from stratum.app.loop import first_cause
from stratum.app.parts import Ending
from stratum.app.scribe import Scribe
from stratum.app.session_key import session_key
from stratum.app.view import View
from stratum.bitcoin.target import display
from stratum.bitcoin.template import Template
from stratum.config import PoolConfig
from stratum.errors import ConfigError, Problem
from stratum.events import (
    ActiveNodeChanged,
    BlockFateChanged,
    BlockFound,
    Event,
    RigConnected,
    RigDisconnected,
)
from stratum.ledger.log import STRICT_INTERVAL, SYNC_INTERVAL, Log
from stratum.ledger.templates import TemplateStore
from stratum.mining.extranonce import Extranonces
from stratum.mining.jobs import Job
from stratum.mining.limits import Gatekeeper
from stratum.mining.names import PayeeRule
from stratum.mining.pool import REFRESH_INTERVAL, Pool
from stratum.mining.site import Site, make_gate
from stratum.net.downstream import Server
from stratum.net.handing import Handing
from stratum.node.nodes import Nodes
from stratum.node.submitter import Submitter
from stratum.node.tips import Tip
from stratum.observability.http import HttpServer
from stratum.observability.live import live_server
from stratum.observability.metrics import Metrics
from stratum.observability.recent import describe

logger = logging.getLogger(__name__)

#: Ordinary templates reach rigs no closer together than this: each costs a rig its pipeline.
ORDINARY_PACE = 15.0

TICK = 1.0

#: A stop waits so long for blocks that no node has answered for yet; the spool keeps the rest.
DRAIN_LIMIT = 5.0
DRAIN_AT_HANDOVER = 0.5  # rigs are kept waiting for it


class PoolService:
    """Build it, run it until told to stop. Construction takes the data_dir's lock."""

    def __init__(
        self,
        config: PoolConfig,
        *,
        on_event: Callable[[Event], None] = lambda event: None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Raises ConfigError where data_dir can't be used or is in use."""
        clock = clock or SteadyClock()
        self._config = config
        self._clock = clock
        self._watcher = on_event
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._exit_code = 0
        self._sockets = contextlib.ExitStack()
        self._last_job = clock()  # when all rigs last got one
        self._last_template = clock()  # when they last got a new template
        self._is_held_back = False  # the newest template, for the sake of the pace

        self._log = self._opened_log()
        try:
            self._put_together(config, clock)
        except BaseException:
            self._log.close()  # or its lock would outlive us
            raise

    def _opened_log(self) -> Log:
        is_strict = self._config.is_strict
        return Log(
            self._config.data_dir,
            on_failure=self._log_failed,
            on_synced=self._log_synced if is_strict else None,
            sync_interval=STRICT_INTERVAL if is_strict else SYNC_INTERVAL,
        )

    def _put_together(self, config: PoolConfig, clock: Callable[[], float]) -> None:
        """Make the parts and wire them; nothing runs yet."""
        self._templates = TemplateStore(config.data_dir)
        self._scribe = Scribe(self._log, self._templates)
        gate = make_gate(config.network, config.limits)
        gate.attach(self._log.tail)
        self._pool = Pool(
            config.network,
            config.payout.coinbase_tag,
            gate=gate,
            first_work_id=int(clock()),
            keep=self._scribe.keep_work,
            ask=lambda question: self._prover.ask(question),
        )
        self._site = Site(
            network=config.network,
            gate=gate,
            pool=self._pool,
            payees=PayeeRule(config.payout, config.network),
            limits=config.limits,
            extranonces=Extranonces(
                session_key(config.data_dir), int.from_bytes(os.urandom(4), "big")
            ),
            gatekeeper=Gatekeeper(config.limits),
            record=self._scribe.keep_share,
            identify=self._scribe.keep_worker,
            refused=self._scribe.keep_refused,
            make_room=lambda: self._log.make_room(),
            found=self._on_block,
            emit=self._on_event,
            is_strict=config.is_strict,
            log_end=lambda: self._log.next_index,
            log_synced=lambda: self._log.synced_count,
            hurry=self._log.hurry,
            notice=WAITING,
        )
        self.server = Server(self._site, config.listen, clock=clock)
        self._drought = Drought(self.server, self._site, config.no_work_close_s, clock)
        self._nodes = Nodes(
            config.nodes,
            config.network,
            emit=self._on_event,
            on_tip=self._on_tip,
            on_template=self._on_template,
        )
        self._submitter = Submitter(config.data_dir / "spool", self._nodes, self._on_event)
        self._prover = LayoutProver(self._pool, self._nodes.prove, self.server.offer)
        books = self._sockets.enter_context(Meeting(config.data_dir, BOOKS_SOCKET))
        self.view = View(config, self._site, self.server, self._nodes, self._scribe, clock, books)
        self._metrics = Metrics(
            self.view.figures, version=__version__, sha256_backend=hashing.backend()
        )
        self._http = HttpServer(
            config.http,
            metrics=self._metrics,
            ready=self.view.not_ready,
            books=books.path,
        )
        self._live = live_server(self.view.live)
        self._room = RoomWatch()
        self._handing = Handing(self.server, self._site, config.listen, clock)
        self._house = House(
            self._handing,
            self._site,
            http_listeners=lambda: self._http.listeners,
            stop_work=self._stop_work,
            start_work=self._start_work,
            close_log=self._close_log,
            open_log=self._open_log,
        )

    def stop(self) -> None:
        """Ask it to end; `run` returns when it has."""
        self._stop.set()

    @property
    def http_port(self) -> int:
        return self._http.port

    async def run(
        self, started: Callable[[], None] = lambda: None, taken: Taken | None = None
    ) -> int:
        """Serve until `stop`, or until another process has our rigs; `taken`: from here on those
        of another one. Returns the exit code (`parts.Ending`)."""
        try:
            self._take_up()
            await self._open(taken)
            gc.collect()
            gc.freeze()
            started()
            await self._run_parts()
        except ExceptionGroup as group:
            raise first_cause(group) from group  # the first part to fail ended the others
        finally:
            await self.server.stop()
            self.server.report_refused()
            await self._http.stop()
            await self._live.stop()
            self._sockets.close()
            self._close_log()
        return self._exit_code

    async def _open(self, taken: Taken | None) -> None:
        """Every port and socket; whoever finds one taken names it. Rigs' come last."""
        listeners = taken.listeners if taken else {}
        try:
            await self.server.bind(listeners)
            await self._http.start(listeners)
            if taken:
                await self._house.move_in(taken)
            with Meeting(self._config.data_dir, SERVE_SOCKET) as meeting:
                await self._live.start(meeting.listen())
            with Meeting(self._config.data_dir, HANDOVER_SOCKET) as meeting:
                self._door = self._sockets.enter_context(meeting.listen())
            await self._handing.begin()
            await self.server.start()
        except OSError as exc:
            problem = Problem("listen", exc.strerror or str(exc), "see `baseload check --live`")
            raise ConfigError([problem]) from exc

    def _take_up(self) -> None:
        """Go on from where an earlier run ended."""
        restored, unreadable = self._pool.restore(self._templates.load().values(), self._clock())
        self._scribe.keep_policy(self._config)
        logger.info(
            "baseload %s on %s, SHA-256 by %s, %s jobs of an earlier run kept for their blocks",
            __version__,
            self._config.network.name,
            hashing.backend(),
            restored,
        )
        if unreadable:
            logger.warning("%s jobs of an earlier run can't be read", unreadable)

    async def _run_parts(self) -> None:
        """Run everything until the stop; then rigs go first, and blocks under way last."""
        async with asyncio.TaskGroup() as self._parts:
            self._start_work()
            giving = self._parts.create_task(self._give())
            await self._stop.wait()
            giving.cancel()
            await self.server.stop()
            await self._submitter.drain(DRAIN_LIMIT)
            for task in (*self._timers, *self._outside):
                task.cancel()

    def _start_work(self) -> None:
        """All that goes on by itself: what time brings, and what nodes do."""
        start = self._parts.create_task
        self._outside = [start(self._nodes.run()), start(self._submitter.run())]
        timers = (self.server.run(), self._prover.run(), self._keep_time())
        self._timers = [start(timer) for timer in timers]

    # -- another process -------------------------------------------------------------------

    async def _give(self) -> None:
        """Wait for one that takes our rigs over, and leave them to it."""
        await Giving(self._house).run(self._door)
        logger.info("our rigs are another process's: leaving")
        self._handing.leave()
        self._exit_code = Ending.TAKEN_OVER
        self._stop.set()

    async def _stop_work(self) -> None:
        """With the rigs paused. Blocks under way have a moment; the spool keeps the others."""
        self._drought.rest()
        for timer in self._timers:
            timer.cancel()
        await self._submitter.drain(DRAIN_AT_HANDOVER)
        for task in self._outside:
            task.cancel()
        await asyncio.wait((*self._timers, *self._outside))
        self._scribe.save_templates(self._pool.live_work_ids)

    def _close_log(self) -> None:
        self._site.gate.attach(None)
        self._log.close()

    def _open_log(self) -> None:
        self._log = self._opened_log()
        self._scribe.attach(self._log)
        self._site.gate.attach(self._log.tail)

    # -- work ------------------------------------------------------------------------------

    def _on_tip(self, tip: Tip) -> None:
        """A new best block: rigs leave the old one now, the full template follows."""
        if self.server.is_paused:
            return  # whoever has the rigs next will ask
        known = time.perf_counter()
        now = self._clock()
        job = self._pool.on_tip(tip.block_hash, tip.parent, tip.mediantime, now, tip.time)
        if job is not None:
            self._drought.ended()
            self._broadcast_new(job, known, now)

    def _on_template(self, template: Template) -> None:
        if self.server.is_paused:
            return
        known = time.perf_counter()
        now = self._clock()
        before = self._pool.current
        job, clean = self._pool.on_template(template, now)
        self._drought.ended()
        fills_empty = before is not None and before.work.template.is_empty and not template.is_empty
        if clean:
            self._broadcast_new(job, known, now)
        elif fills_empty or now - self._last_template >= ORDINARY_PACE:
            self.server.spread(job)
            self._last_job = self._last_template = now
            self._is_held_back = False
        else:
            self._is_held_back = True
        self._scribe.save_templates(self._pool.live_work_ids)

    def _broadcast_new(self, job: Job, known: float, now: float) -> None:
        """A new previous block to every rig; nothing that can wait comes before it."""
        self.server.broadcast(job, True)
        self._metrics.broadcast(time.perf_counter() - known)
        self._last_job = self._last_template = now
        self._is_held_back = False

    # -- time ------------------------------------------------------------------------------

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            try:
                self._tick(self._clock())
            except Exception:
                logger.exception("the pool's timer failed; it goes on")

    def _tick(self, now: float) -> None:
        if self._pool.current is not None:
            self._scribe.keep_again(self._pool.current.work)
        self._room.check(self.server.connected)
        self.view.sample(now)
        self._refresh_if_due(now)
        self._drought.look(now)
        self._scribe.save_templates(self._pool.live_work_ids)

    def _refresh_if_due(self, now: float) -> None:
        """Also without a node: a job with a new time keeps rigs from leaving (rule 22)."""
        if self._pool.current is None or now - self._last_job < REFRESH_INTERVAL:
            return
        job = self._pool.refresh(now)
        if job is not None:
            self.server.spread(job)
            self._last_job = now
            if self._is_held_back:
                self._last_template = now
                self._is_held_back = False

    # -- news ------------------------------------------------------------------------------

    def _on_block(self, found: BlockFound) -> None:
        """Before anything else is done or said: the block leaves."""
        self._submitter.found(found)
        logger.warning("block %s at height %s found", display(found.block_hash), found.height)
        self._scribe.keep_block(found)
        self._on_event(found)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, BlockFateChanged):
            self._scribe.keep_fate(event)
        if isinstance(event, ActiveNodeChanged) and event.node is None:
            self._drought.began()
        if isinstance(event, RigConnected | RigDisconnected):
            logger.info("%s", describe(event))
        self._metrics.on_event(event)
        self.view.on_event(event)
        self._watcher(event)

    def _log_synced(self, count: int) -> None:
        """From the log's sync thread, under `strict`: answers have waited for it."""
        with contextlib.suppress(RuntimeError):  # the last sync comes after the loop's end
            self._loop.call_soon_threadsafe(self.server.synced)

    def _log_failed(self, exc: OSError) -> None:
        """From the log's sync thread: what was promised can't be kept any more, so stop."""
        logger.critical("the log can't be kept: %s; stopping", exc)
        self._exit_code = 1
        self._loop.call_soon_threadsafe(self._stop.set)
