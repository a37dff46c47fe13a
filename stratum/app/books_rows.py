"""From the books' numbers to rows for people: names, moments, rates by window, causes in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from stratum.bitcoin.target import display
from stratum.events import BlockFate
from stratum.ledger.database.recall import BlockFact, Period
from stratum.ledger.effects import CAUSES
from stratum.ledger.rates import Rate
from stratum.ledger.statistics import Statistics, Tally, difficulty_of_best
from stratum.observability.live import SessionRow
from stratum.observability.queries import RowsQuery
from stratum.observability.status import (
    MAIN_WINDOW,
    WINDOWS,
    BlockRow,
    GroupRow,
    PeriodRow,
    RateRow,
    RigRow,
)
from stratum.units import HASHES_PER_DIFFICULTY, DifficultyScale

_T = TypeVar("_T")

#: The sessions of each worker, by its name.
Sessions = Mapping[str, Sequence[SessionRow]]


def rig_rows(statistics: Statistics, tallies: Sequence[Tally], sessions: Sessions) -> list[RigRow]:
    """Workers that have had a share, with their sessions where they are connected."""
    return [
        RigRow(
            worker=row.name,
            agent=mine[-1].agent if mine else "",
            difficulty=mine[-1].difficulty if mine else tally.difficulty,
            accepted=row.accepted,
            rejected=row.rejected,
            hashrate=row.rates[MAIN_WINDOW].hashrate,
            connected_at=min((each.connected_at for each in mine), default=None),
            last_share_at=row.last_share_at,
            account=_account_of(statistics, tally),
            sessions=len(mine),
            rates=row.rates,
            rejects=row.rejects,
            best=row.best,
            efficiency=row.efficiency,
        )
        for tally, row in zip(tallies, group_rows(statistics, tallies), strict=True)
        for mine in (sessions.get(row.name, ()),)
    ]


def newcomer(name: str, sessions: Sequence[SessionRow]) -> RigRow:
    """A rig that is connected and has no share accepted yet."""
    latest = sessions[-1]
    return RigRow(
        worker=name,
        agent=latest.agent,
        difficulty=latest.difficulty,
        accepted=0,
        rejected=0,
        hashrate=0.0,
        connected_at=min(each.connected_at for each in sessions),
        account=name.partition(".")[0],
        sessions=len(sessions),
    )


def group_rows(statistics: Statistics, tallies: Sequence[Tally]) -> list[GroupRow]:
    """Any series, by the name that its tally has."""
    return [
        GroupRow(
            name=tally.name,
            accepted=tally.shares,
            rejected=sum(tally.rejected),
            rates=dict(zip(WINDOWS, map(_rate_row, rates), strict=True)),
            rejects=nonzero(tally.rejected),
            best=difficulty_of_best(tally.best),
            efficiency=efficiency,
            last_share_at=moment(tally.last_us),
        )
        for tally, rates, efficiency in zip(
            tallies, statistics.rates(tallies), statistics.efficiencies(tallies), strict=True
        )
    ]


def ordered(statistics: Statistics, tallies: Sequence[Tally], query: RowsQuery) -> list[Tally]:
    """Sorted as the query wants them; equal ones by name, so that pages do not overlap."""
    keys = list(_sort_keys(statistics, tallies, query))
    places = sorted(range(len(tallies)), key=lambda place: tallies[place].name)
    places.sort(key=keys.__getitem__, reverse=query.largest_first)
    return [tallies[place] for place in places]


def cut(rows: Sequence[_T], query: RowsQuery) -> Sequence[_T]:
    return rows[query.offset : query.offset + query.limit]


def period_row(period: Period, seconds: int, now: float, scale: DifficultyScale) -> PeriodRow:
    """A bucket of `seconds`; the one that is still running has a mean of what has passed."""
    part = period.sum
    difficulty = scale.difficulty(part.work)
    passed = min(max(now - period.begins, 1.0), float(seconds))
    return PeriodRow(
        begins=period.begins,
        shares=part.shares,
        work=str(part.work),
        difficulty=difficulty,
        hashrate=difficulty * HASHES_PER_DIFFICULTY / passed,
        best=difficulty_of_best(part.best),
        rejects=nonzero(part.rejected),
    )


def block_row(block: BlockFact) -> BlockRow:
    return BlockRow(
        height=block.height,
        block_hash=display(block.block_hash),
        worker=block.worker,
        sats=block.sats,
        fate=block.fate,
        found_at=block.found_us / 1e6,
        reason="" if block.fate == BlockFate.ACCEPTED else block.reason,
    )


def by_name(
    sessions: Iterable[SessionRow], known: Collection[str] = ()
) -> dict[str, list[SessionRow]]:
    """The sessions of each worker, under the name that the books have for it."""
    found: dict[str, list[SessionRow]] = {}
    for session in sessions:
        found.setdefault(_kept_name(session.worker, known), []).append(session)
    return found


def _kept_name(name: str, known: Collection[str]) -> str:
    """A rig may type its address in upper case, or half a surrogate; the log keeps neither."""
    plain = name.encode("utf-8", "backslashreplace").decode()
    if plain in known:
        return plain
    account, dot, worker = plain.partition(".")
    lowered = f"{account.lower()}{dot}{worker}"
    return lowered if lowered in known else plain


def nonzero(rejected: Iterable[int]) -> dict[str, int]:
    """Rejects by cause, the causes that there were."""
    return {cause.value: count for cause, count in zip(CAUSES, rejected, strict=True) if count}


def moment(us: int) -> float | None:
    return us / 1e6 if us else None


def _sort_keys(
    statistics: Statistics, tallies: Sequence[Tally], query: RowsQuery
) -> Iterator[float | str]:
    match query.key:
        case "name":
            yield from (each.name for each in tallies)
        case "accepted":
            yield from (each.shares for each in tallies)
        case "rejected":
            yield from (sum(each.rejected) for each in tallies)
        case "best":
            yield from (each.best for each in tallies)
        case "last_share":
            yield from (each.last_us for each in tallies)
        case "efficiency":
            # Who proved nothing is behind those who lost something.
            found = statistics.efficiencies(tallies)
            yield from (2.0 if each is None else each for each in found)
        case _:
            yield from statistics.hashrates(tallies, WINDOWS[query.window])


def _account_of(statistics: Statistics, tally: Tally) -> str:
    account = statistics.accounts.get(tally.account_id)
    return account.name if account else ""


def _rate_row(rate: Rate) -> RateRow:
    return RateRow(rate.hashrate, rate.low, rate.high, rate.seconds)
