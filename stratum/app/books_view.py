"""What viewers get to see: the books, joined with what the serve process says of this moment.

The books know workers by what they did, serve knows rigs by their connections; a row is one
worker with its session where it has one. Rigs that are connected but have no share yet stand
behind the others. Where serve is away the books are shown all the same, and the page says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from stratum import __version__
from stratum.app.bookkeeper import Bookkeeper
from stratum.app.books_rows import (
    Sessions,
    block_row,
    by_name,
    cut,
    group_rows,
    moment,
    newcomer,
    nonzero,
    ordered,
    period_row,
    rig_rows,
)
from stratum.config import PoolConfig
from stratum.config.values import Endpoint
from stratum.ledger.database.recall import HISTORY_ROWS, Scope
from stratum.ledger.rollups import SPANS
from stratum.ledger.statistics import Tally, difficulty_of_best
from stratum.observability.books_http import Rows
from stratum.observability.live import Live
from stratum.observability.live_source import LiveSource
from stratum.observability.queries import HistoryQuery, RowsQuery
from stratum.observability.status import MAIN_WINDOW, GroupRow, PeriodRow, RigRow, Status

#: Accounts shown on the page; the API has them all.
_ACCOUNTS_SHOWN = 20

#: Books that are complete for a moment longer ago are behind, and say so.
_BEHIND_SECONDS = 15.0


class BooksView:
    """Reads; changes nothing. What only the database knows raises DatabaseFailed without it."""

    def __init__(
        self,
        config: PoolConfig,
        keeper: Bookkeeper,
        live: LiveSource,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._scale = config.network.scale
        self._keeper = keeper
        self._live = live
        self._clock = clock

    async def status(self, query: RowsQuery) -> Status:
        live = await self._live.look()
        now = self._clock()
        statistics = self._keeper.statistics
        (site,) = group_rows(statistics, [statistics.site])
        rigs = self._rigs(query, live)
        away = f"the pool's process does not answer ({self._live.fault})"
        return Status(
            version=live.version if live else __version__,
            network=self._config.network.name,
            now=now,
            started_at=live.started_at if live else None,
            fault=live.fault if live else away,
            books_fault=self._fault(now),
            books_at=statistics.as_of or None,
            hashrate=site.rates[MAIN_WINDOW].hashrate,
            rates=site.rates,
            connections=live.connections if live else 0,
            rigs_total=live.rigs if live else 0,
            workers_total=rigs.total,
            shares={"accepted": site.accepted, **site.rejects},
            best=site.best,
            last_share_at=site.last_share_at,
            efficiency=site.efficiency,
            listens=self._listens(live),
            job=live.job if live else None,
            nodes=live.nodes if live else (),
            tiers=self._tiers(live),
            accounts=self._accounts(RowsQuery(limit=_ACCOUNTS_SHOWN)).rows,
            rigs=rigs.rows,
            rigs_offset=query.offset,
            rigs_sort=query.sort,
            blocks=[block_row(block) for block in self._keeper.blocks],
            events=live.events if live else (),
        )

    async def workers(self, query: RowsQuery) -> Rows[RigRow]:
        return self._rigs(query, await self._live.look())

    async def worker(self, name: str) -> RigRow | None:
        """Also one that left memory long ago."""
        statistics = self._keeper.statistics
        sessions = _sessions(await self._live.look(), {name})
        # The newest of a name: an account whose payee changed is a new one.
        for tally in reversed(statistics.workers.values()):
            if tally.name == name:
                return rig_rows(statistics, [tally], sessions)[0]
        remembered = await self._remembered(name)
        if remembered is None and name in sessions:
            return newcomer(name, sessions[name])
        return remembered

    async def accounts(self, query: RowsQuery) -> Rows[GroupRow]:
        return self._accounts(query)

    async def tiers(self) -> Rows[GroupRow]:
        rows = self._tiers(await self._live.look())
        return Rows(len(rows), rows)

    async def history(self, query: HistoryQuery) -> Sequence[PeriodRow] | None:
        """None where nobody of the name is known."""
        span = next(span for span in SPANS if span.name == query.span)
        scope = await self._scope(query)
        if scope is None:
            return None
        now = self._clock()
        ends = int(now) + 1 if query.ends is None else query.ends
        longest = ends - HISTORY_ROWS * span.seconds + span.seconds
        begins = max(longest, 0) if query.begins is None else query.begins
        periods = await self._keeper.history(span, begins, ends, scope)
        return [period_row(each, span.seconds, now, self._scale) for each in periods]

    def _rigs(self, query: RowsQuery, live: Live | None) -> Rows[RigRow]:
        """Workers in the order of the query, and behind them the rigs without a share."""
        statistics = self._keeper.statistics
        known = {each.name for each in statistics.workers.values()}
        sessions = _sessions(live, known)
        tallies = [each for each in statistics.workers.values() if self._is_asked(each, query)]
        newcomers = [
            newcomer(name, found)
            for name, found in sessions.items()
            if name not in known and query.account in (None, name.partition(".")[0])
        ]
        shown = rig_rows(statistics, cut(ordered(statistics, tallies, query), query), sessions)
        start = max(query.offset - len(tallies), 0)
        behind = newcomers[start : start + query.limit - len(shown)]
        return Rows(len(tallies) + len(newcomers), [*shown, *behind])

    def _is_asked(self, worker: Tally, query: RowsQuery) -> bool:
        account = self._keeper.statistics.accounts.get(worker.account_id)
        return query.account is None or (account is not None and account.name == query.account)

    def _accounts(self, query: RowsQuery) -> Rows[GroupRow]:
        statistics = self._keeper.statistics
        tallies = list(statistics.accounts.values())
        shown = cut(ordered(statistics, tallies, query), query)
        return Rows(len(tallies), group_rows(statistics, shown))

    def _tiers(self, live: Live | None) -> list[GroupRow]:
        """One a [[listen]] table, and one for each that the config no longer has."""
        statistics = self._keeper.statistics
        names = list(self._listens(live))
        rows = [GroupRow(name, 0, 0) for name in names]
        for listen, tally in sorted(statistics.tiers.items()):
            (row,) = group_rows(statistics, [tally])
            if listen < len(names):
                rows[listen] = row.named(names[listen])
            else:
                rows.append(row.named(f"former tier {listen + 1}"))
        return rows

    def _listens(self, live: Live | None) -> Sequence[str]:
        configured = [str(Endpoint(tier.host, tier.port)) for tier in self._config.listen]
        return live.listens if live and len(live.listens) == len(configured) else configured

    async def _remembered(self, name: str) -> RigRow | None:
        account, _, worker = name.partition(".")
        known = await self._keeper.find_worker(account, worker)
        if known is None:
            return None
        totals = known.totals
        return RigRow(
            worker=name,
            agent="",
            difficulty=self._scale.difficulty(totals.work) / max(totals.shares, 1),
            accepted=totals.shares,
            rejected=sum(totals.rejected),
            hashrate=0.0,
            last_share_at=moment(totals.last_us),
            account=account,
            sessions=0,
            rejects=nonzero(totals.rejected),
            best=difficulty_of_best(totals.best),
        )

    async def _scope(self, query: HistoryQuery) -> Scope | None:
        if query.worker is not None:
            account, _, worker = query.worker.partition(".")
            known = await self._keeper.find_worker(account, worker)
            return None if known is None else Scope(worker_id=known.worker_id, listen=query.tier)
        if query.account is not None:
            account_id = await self._keeper.find_account(query.account)
            return None if account_id is None else Scope(account_id, listen=query.tier)
        return Scope(listen=query.tier)

    def _fault(self, now: float) -> str:
        if self._keeper.fault:
            return self._keeper.fault
        behind = now - self._keeper.statistics.as_of
        if self._keeper.statistics.as_of and behind > _BEHIND_SECONDS:
            return f"the books are {behind:.0f} s behind"
        return ""


def _sessions(live: Live | None, known: Collection[str]) -> Sessions:
    return by_name(live.sessions, known) if live else {}
