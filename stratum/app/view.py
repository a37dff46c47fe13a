"""What the outside sees of the process that serves rigs: figures for metrics, a look for books.

Everything is read from counters that exist anyway, at the moment somebody asks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from stratum import __version__
from stratum.app.descriptors import room
from stratum.app.local_sockets import Meeting
from stratum.app.scribe import Scribe
from stratum.bitcoin.target import difficulty_of_target, display
from stratum.config import PoolConfig
from stratum.config.values import Endpoint
from stratum.events import BlockFate, BlockFateChanged, BlockFound, Event
from stratum.mining.rate import RateMeter
from stratum.mining.session import Session
from stratum.mining.site import Site
from stratum.net.downstream import Server
from stratum.node.nodes import Nodes
from stratum.observability.live import SESSIONS_SHOWN, Live, SessionRow
from stratum.observability.metrics import Figures, NodeFigures
from stratum.observability.recent import RecentEvents
from stratum.observability.status import BlockRow, JobRow, NodeRow

_BLOCKS_KEPT = 100


class View:
    """Reads; changes nothing."""

    def __init__(
        self,
        config: PoolConfig,
        site: Site,
        server: Server,
        nodes: Nodes,
        scribe: Scribe,
        clock: Callable[[], float],
        books: Meeting,
    ) -> None:
        self._config = config
        self._site = site
        self._server = server
        self._nodes = nodes
        self._scribe = scribe
        self._clock = clock
        self._books = books
        self._started = clock()
        self._meter = RateMeter(clock())
        self._sampled = 0  # of the gate's work
        self._recent = RecentEvents(clock)
        self._blocks: OrderedDict[bytes, BlockRow] = OrderedDict()

    def on_event(self, event: Event) -> None:
        self._recent.on_event(event)
        if isinstance(event, BlockFound):
            self._add_block(event)
        elif isinstance(event, BlockFateChanged) and event.block_hash in self._blocks:
            row = self._blocks[event.block_hash]
            reason = "" if event.fate is BlockFate.ACCEPTED else event.reason
            self._blocks[event.block_hash] = replace(row, fate=event.fate, reason=reason)

    def not_ready(self) -> str | None:
        """Why rigs get no work, for /readyz; None when they do."""
        if self._nodes.active is None:
            faults = [f"{node.name}: {node.fault}" for node in self._nodes.states if node.fault]
            return "no node gives work: " + "; ".join(faults or ["none has answered yet"])
        if self._site.pool.current is None:
            return "no template yet"
        return None

    def figures(self) -> Figures:
        job = self._site.pool.current
        return Figures(
            shares={v.value: count for v, count in self._site.verdicts.items()},
            share_difficulty=self._config.network.scale.difficulty(self._site.gate.work),
            connections=self._server.connected,
            connections_limit=room(),
            rigs=self._site.rigs,
            hashrate=self._hashrate(self._clock()),
            jobs=self._site.pool.jobs_made,
            job_height=job.work.template.height if job else 0,
            ready=self.not_ready() is None,
            books=self._books.answers(),
            log_records=self._scribe.records,
            log_synced=self._scribe.synced,
            nodes=[
                NodeFigures(node.name, node.fault is None, node.active, node.height or 0)
                for node in self._nodes.states
            ],
        )

    def live(self) -> Live:
        """What only this process knows; statistics are made from the log, by others."""
        ready = [session for session in self._server.sessions if session.is_ready]
        return Live(
            version=__version__,
            network=self._config.network.name,
            now=self._clock(),
            started_at=self._started,
            fault=self.not_ready() or "",
            connections=len(self._server.sessions),
            rigs=len(ready),
            shares={v.value: count for v, count in self._site.verdicts.items()},
            listens=[
                str(Endpoint(tier.host, port))
                # None while the pool starts or stops, when this is served all the same.
                for tier, port in zip(self._config.listen, self._server.ports, strict=False)
            ],
            job=self._job(),
            nodes=[
                NodeRow(
                    node.name, node.fault is None, node.active, node.height or 0, node.fault or ""
                )
                for node in self._nodes.states
            ],
            blocks=list(reversed(self._blocks.values())),
            events=self._recent.rows(),
            sessions=[self._session(session) for session in ready[:SESSIONS_SHOWN]],
        )

    def sample(self, now: float) -> None:
        """Once a second: what the gate has credited since."""
        work = self._site.gate.work
        self._meter.add(work - self._sampled, now)
        self._sampled = work

    def _hashrate(self, now: float) -> float:
        return self._meter.hashrate(self._config.network.scale, now)

    def _session(self, session: Session) -> SessionRow:
        return SessionRow(
            worker=session.worker_name,
            agent=session.user_agent,
            difficulty=self._config.network.scale.difficulty(session.difficulty.weight),
            connected_at=session.connected_at,
            listen=session.rig.tier,
        )

    def _job(self) -> JobRow | None:
        job = self._site.pool.current
        if job is None:
            return None
        template = job.work.template
        return JobRow(
            job.job_id,
            template.height,
            display(template.prevhash),
            len(template.transactions),
            template.coinbasevalue,
            difficulty_of_target(template.network_target),
            job.made,
        )

    def _add_block(self, found: BlockFound) -> None:
        self._blocks[found.block_hash] = BlockRow(
            found.height,
            display(found.block_hash),
            found.worker_name,
            found.sats,
            "found",
            self._clock(),
        )
        if len(self._blocks) > _BLOCKS_KEPT:
            self._blocks.popitem(last=False)
