"""One pool, put together: the only place where its parts meet.

    nodes ──tip, template──▶ pool ──job──▶ server ──bytes──▶ rigs
    rigs ──share──▶ session ──▶ books (log)
                       └─block──▶ submitter ──▶ nodes

News comes up as events and callables; what runs here is wiring, the order of a start and of a
stop, and the two clocks that belong to nobody else: the 30 s refresh, and how long rigs may wait
without work.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import hashing
from stratum import __version__
from stratum.app.books import Books
from stratum.app.layouts import LayoutProver
from stratum.app.view import View
from stratum.bitcoin.target import display
from stratum.bitcoin.template import Template
from stratum.config import PoolConfig
from stratum.events import (
    ActiveNodeChanged,
    BlockFateChanged,
    BlockFound,
    Event,
    RigConnected,
    RigDisconnected,
)
from stratum.ledger.log import Log
from stratum.ledger.templates import TemplateStore
from stratum.mining.extranonce import Extranonces
from stratum.mining.jobs import Work
from stratum.mining.limits import Gatekeeper
from stratum.mining.names import PayeeRule
from stratum.mining.pool import REFRESH_INTERVAL, Pool
from stratum.mining.site import Site
from stratum.net.downstream import Server
from stratum.node.nodes import Nodes
from stratum.node.submitter import Submitter
from stratum.node.tips import Tip
from stratum.observability.http import HttpServer
from stratum.observability.metrics import Metrics
from stratum.observability.recent import describe

logger = logging.getLogger(__name__)

#: Ordinary templates reach rigs no closer together than this: each costs a rig its pipeline.
ORDINARY_PACE = 15.0

TICK = 1.0


class PoolService:
    """Build it, run it until told to stop. Construction takes the data_dir's lock."""

    def __init__(
        self,
        config: PoolConfig,
        *,
        on_event: Callable[[Event], None] = lambda event: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises ConfigError where data_dir can't be used or is in use."""
        self._config = config
        self._clock = clock
        self._watcher = on_event
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._exit_code = 0
        self._last_broadcast = clock()
        self._work_lost: float | None = clock()
        self._has_closed = False

        self._log = Log(config.data_dir, on_failure=self._log_failed)
        self._templates = TemplateStore(config.data_dir)
        self._books = Books(self._log, self._templates)
        self._pool = Pool(
            config.network,
            config.payout.coinbase_tag,
            first_work_id=int(clock()),
            keep=self._keep_work,
            ask=lambda question: self._prover.ask(question),
        )
        self._site = Site(
            network=config.network,
            pool=self._pool,
            payees=PayeeRule(config.payout, config.network),
            limits=config.limits,
            extranonces=Extranonces(
                _session_key(config.data_dir), int.from_bytes(os.urandom(4), "big")
            ),
            gatekeeper=Gatekeeper(config.limits),
            record=self._books.keep_share,
            found=self._on_block,
            emit=self._on_event,
        )
        self.server = Server(self._site, config.listen, clock=clock)
        self._nodes = Nodes(
            config.nodes,
            config.network,
            emit=self._on_event,
            on_tip=self._on_tip,
            on_template=self._on_template,
        )
        self._submitter = Submitter(config.data_dir / "spool", self._nodes, self._on_event)
        self._prover = LayoutProver(self._pool, self._nodes.prove, self.server.offer)
        self.view = View(config, self._site, self.server, self._nodes, self._books, clock)
        self._metrics = Metrics(
            self.view.figures, version=__version__, sha256_backend=hashing.backend()
        )
        self._http = HttpServer(
            config.http,
            metrics=self._metrics,
            status=self.view.status,
            ready=self.view.not_ready,
        )

    @property
    def http_port(self) -> int:
        return self._http.port

    def stop(self) -> None:
        """Ask it to end; `run` returns when it has."""
        self._stop.set()

    async def run(self, started: Callable[[], None] = lambda: None) -> int:
        """Serve until `stop`. Returns the exit code; 1 where the log failed."""
        now = self._clock()
        restored = self._pool.restore(self._templates.load().values(), now)
        self._books.keep_policy(self._config)
        logger.info(
            "baseload %s on %s, SHA-256 by %s, %s jobs of an earlier run kept for their blocks",
            __version__,
            self._config.network.name,
            hashing.backend(),
            restored,
        )
        try:
            await self._http.start()
            await self.server.start()
            gc.collect()
            gc.freeze()
            started()
            await self._run_parts()
        finally:
            await self.server.stop()
            await self._http.stop()
            self._log.close()
        return self._exit_code

    async def _run_parts(self) -> None:
        async with asyncio.TaskGroup() as parts:
            tasks = [
                parts.create_task(part)
                for part in (
                    self._nodes.run(),
                    self._submitter.run(),
                    self.server.run(),
                    self._prover.run(),
                    self._keep_time(),
                )
            ]
            await self._stop.wait()
            for task in tasks:
                task.cancel()

    # -- work ------------------------------------------------------------------------------

    def _on_tip(self, tip: Tip) -> None:
        """A new best block: rigs leave the old one now, the full template follows."""
        known = time.perf_counter()
        now = self._clock()
        job = self._pool.on_tip(tip.block_hash, tip.parent, tip.mediantime, now, tip.time)
        if job is not None:
            self._site.new_block()
            self.server.broadcast(job, True)
            self._broadcast_done(now)
            self._metrics.broadcast(time.perf_counter() - known)

    def _on_template(self, template: Template) -> None:
        known = time.perf_counter()
        now = self._clock()
        before = self._pool.current
        job, clean = self._pool.on_template(template, now)
        if clean:
            self._site.new_block()
        fills_empty = before is not None and before.work.template.is_empty
        if clean or fills_empty or now - self._last_broadcast >= ORDINARY_PACE:
            self.server.broadcast(job, clean)
            self._broadcast_done(now)
        if clean:
            self._metrics.broadcast(time.perf_counter() - known)
        self._books.forget_templates(self._pool.live_work_ids)

    def _keep_work(self, work: Work) -> int:
        return self._books.keep_work(work)

    def _broadcast_done(self, now: float) -> None:
        self._last_broadcast = now
        self._work_came()

    # -- time ------------------------------------------------------------------------------

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            now = self._clock()
            self._refresh_if_due(now)
            self._close_if_starved(now)

    def _refresh_if_due(self, now: float) -> None:
        """Also without a node: a job with a new time keeps rigs from leaving (rule 22)."""
        if self._pool.current is None or now - self._last_broadcast < REFRESH_INTERVAL:
            return
        job = self._pool.refresh(now)
        if job is not None:
            self.server.broadcast(job, False)
            self._last_broadcast = now

    def _close_if_starved(self, now: float) -> None:
        """Rigs wait for work so long and no longer; then they must find their backup pools."""
        limit = self._config.no_work_close_s
        if self._work_lost is None or now - self._work_lost < limit:
            return
        if not self._has_closed:
            logger.error("no work for %.0f s: all rigs are sent to their backup pools", limit)
            self._has_closed = True
            self.server.refuse_rigs(True)
        self.server.close_all("no work")

    def _work_came(self) -> None:
        self._work_lost = None
        if self._has_closed:
            logger.warning("work is back: rigs are welcome again")
            self._has_closed = False
            self.server.refuse_rigs(False)

    # -- news ------------------------------------------------------------------------------

    def _on_block(self, found: BlockFound) -> None:
        """Before anything else is done or said: the block leaves."""
        self._submitter.found(found)
        logger.warning("block %s at height %s found", display(found.block_hash), found.height)
        self._books.keep_block(found)
        self._on_event(found)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, BlockFateChanged):
            self._books.keep_fate(event)
        if isinstance(event, ActiveNodeChanged):
            self._node_changed(event)
        if isinstance(event, RigConnected | RigDisconnected):
            logger.info("%s", describe(event))
        self._metrics.on_event(event)
        self.view.on_event(event)
        self._watcher(event)

    def _node_changed(self, event: ActiveNodeChanged) -> None:
        if event.node is None:
            self._work_lost = self._clock()
            self.server.show_message("the pool has lost its node and waits for it; keep mining")

    def _log_failed(self, exc: OSError) -> None:
        """From the log's sync thread: what was promised can't be kept any more, so stop."""
        logger.critical("the log can't be kept: %s; stopping", exc)
        self._exit_code = 1
        self._loop.call_soon_threadsafe(self._stop.set)


def _session_key(data_dir: Path) -> bytes:
    """The secret behind session ids; lives as long as the data_dir, readable to the owner only."""
    path = data_dir / "session.key"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with open(descriptor, "wb") as file:
        key = os.urandom(32)
        file.write(key)
    return key
