"""The page at /: one look at the pool, as HTML that needs no script and nothing from outside.

The server renders, and only the server: page.js fetches this same page every two seconds and
changes the text that differs. A second renderer in the browser would be a second place to forget
an escape.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files

from stratum.observability.markup import Cell, Column, links, nothing, pairs, section, table, text
from stratum.observability.queries import page_link, sorted_link
from stratum.observability.show import (
    show_age,
    show_bitcoin,
    show_counts,
    show_difficulty,
    show_share,
    show_span,
    show_spread,
)
from stratum.observability.status import (
    RIGS_SHOWN,
    WINDOWS,
    BlockRow,
    GroupRow,
    NodeRow,
    RateRow,
    RigRow,
    Status,
)
from stratum.units import show_hashrate

#: Enough of a block hash to find it by; its beginning is zeros.
_HASH_TAIL = 16

#: A lucky week; more would push the rigs out of sight.
_BLOCKS_SHOWN = 10

_WINDOW_WORDS = {"1m": "1 min", "10m": "10 min", "1h": "1 h", "24h": "24 h"}

#: What stands where nothing is known.
_UNKNOWN = "–"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<noscript><meta http-equiv="refresh" content="5"></noscript>
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
<script src="/page.js" defer></script>
</head>
<body>
<p id="lost" role="status" hidden>The pool does not answer. What you see is old.</p>
<main id="look">
{look}
</main>
<footer>
<a href="/api/v1/status">Status as JSON</a>
<a href="/api/v1/workers">Workers</a>
<a href="/api/v1/rollups">History</a>
<a href="/metrics">Metrics</a>
<a href="/readyz">Readiness</a>
</footer>
</body>
</html>
"""


def asset(name: str) -> bytes:
    """page.css or page.js, as they lie beside this module."""
    return files(__package__).joinpath(name).read_bytes()


def render_page(status: Status) -> str:
    parts = (
        _header(status),
        _rates(status.rates),
        _figures(status),
        _job(status),
        _nodes(status.nodes),
        _blocks(status.blocks, status.now),
        _groups("Tiers", "Tier", status.tiers, status.now),
        _groups("Accounts", "Account", status.accounts, status.now),
        _rigs(status),
        _events(status),
    )
    title = f"{show_hashrate(status.hashrate)} · baseload {status.network}"
    return _PAGE.format(title=text(title), look="\n".join(filter(None, parts)))


def _header(status: Status) -> str:
    state = f"no work: {status.fault}" if status.fault else "mining"
    mark = "bad" if status.fault else "good"
    about = f"{status.network} · version {status.version}"
    books = (
        f'<p class="state bad">{text(f"books: {status.books_fault}")}</p>'
        if status.books_fault
        else ""
    )
    return (
        f'<header><h1>baseload</h1><p class="about">{text(about)}</p>'
        f'<p class="state {mark}">{text(state)}</p>{books}</header>'
    )


def _rates(rates: Mapping[str, RateRow]) -> str:
    if not rates:
        return ""
    return pairs(
        "figures",
        ((f"Hashrate, {_WINDOW_WORDS[window]}", _rate(rates.get(window))) for window in WINDOWS),
    )


def _figures(status: Status) -> str:
    accepted = status.shares.get("accepted", 0)
    rejects = {cause: count for cause, count in status.shares.items() if cause != "accepted"}
    rejected = sum(rejects.values())
    part = f"{rejected / (accepted + rejected):.2%}" if rejected else ""
    up_for = _UNKNOWN if status.started_at is None else show_span(status.now - status.started_at)
    known = f"of {status.workers_total:,} known" if status.workers_total else ""
    return pairs(
        "facts",
        (
            ("Rigs", Cell(f"{status.rigs_total:,}", known)),
            ("Connections", f"{status.connections:,}"),
            ("Shares accepted", f"{accepted:,}"),
            ("Shares rejected", Cell(f"{rejected:,}", part, show_counts(rejects))),
            ("Efficiency, 24 h", _efficiency(status.efficiency)),
            ("Best share", _best(status.best)),
            ("Last share", show_age(status.last_share_at, status.now)),
            ("Up for", up_for),
        ),
    )


def _job(status: Status) -> str:
    job = status.job
    if job is None:
        return section("Current job", nothing("None yet."))
    return section(
        "Current job",
        pairs(
            "facts",
            (
                ("Height", f"{job.height:,}"),
                ("Transactions", f"{job.transactions:,}"),
                ("Value", show_bitcoin(job.sats)),
                ("Network difficulty", show_difficulty(job.network_difficulty)),
                ("Job", f"{job.job_id}, {show_age(job.made_at, status.now)}"),
                ("Builds on", f"…{job.prevhash[-_HASH_TAIL:]}"),
            ),
        ),
    )


def _nodes(nodes: Sequence[NodeRow]) -> str:
    columns = (Column("Node"), Column("State", "w"), Column("Height", "n"))
    rows = (
        (node.name, _node_state(node), f"{node.height:,}" if node.height else "unknown")
        for node in nodes
    )
    return section("Nodes", table("Nodes", columns, rows, "Nothing is known of any node."))


def _node_state(node: NodeRow) -> str:
    if not node.up:
        return f"down: {node.fault}" if node.fault else "down"
    return "up, gives work" if node.active else "up"


def _blocks(blocks: Sequence[BlockRow], now: float) -> str:
    columns = (
        Column("Height", "n"),
        Column("Fate", "w"),
        Column("Value", "n"),
        Column("Found by", "w"),
        Column("When", "n"),
        Column("Hash", "h"),
    )
    rows = (
        (
            f"{block.height:,}",
            f"{block.fate}: {block.reason}" if block.reason else block.fate,
            show_bitcoin(block.sats),
            block.worker,
            show_age(block.found_at, now),
            f"…{block.block_hash[-_HASH_TAIL:]}",
        )
        for block in blocks[:_BLOCKS_SHOWN]
    )
    older = len(blocks) - _BLOCKS_SHOWN
    more = f"<p>{text(f'And {older} more.')}</p>" if older > 0 else ""
    return section("Blocks", table("Blocks", columns, rows, "None found yet.") + more)


def _groups(title: str, one: str, groups: Sequence[GroupRow], now: float) -> str:
    """Shown where there is more than one: the site's figures are those of a single one."""
    if len(groups) < 2:
        return ""
    columns = (
        Column(one, "w"),
        *(Column(_WINDOW_WORDS[window], "n") for window in WINDOWS),
        Column("Accepted", "n"),
        Column("Rejected", "n"),
        Column("Efficiency", "n"),
        Column("Best share", "n"),
        Column("Last share", "n"),
    )
    rows = ((group.name, *_deeds(group, now)) for group in groups)
    return section(title, table(title, columns, rows, "None yet."))


def _rigs(status: Status) -> str:
    shown = status.rigs[:RIGS_SHOWN]
    where = " or ".join(f"stratum+tcp://{address}" for address in status.listens)
    empty = f"None yet. Point one at {where}." if where else "None yet."
    rows = [_rig_row(rig, status.now) for rig in shown]
    quiet = (rig.connected_at is None for rig in shown)
    return section(
        "Rigs", table("Rigs", _rig_columns(status), rows, empty, quiet) + _pages(status, len(shown))
    )


def _rig_columns(status: Status) -> list[Column]:
    def sortable(title: str, kind: str, sort: str, largest_first: bool = True) -> Column:
        current = status.rigs_sort
        if current.removeprefix("-") != sort:
            return Column(title, kind, sorted_link(sort, current))
        falls = largest_first != current.startswith("-")
        order = "descending" if falls else "ascending"
        return Column(title, kind, sorted_link(sort, current), order)

    return [
        sortable("Worker", "w", "name", largest_first=False),
        *(sortable(_WINDOW_WORDS[window], "n", f"hashrate_{window}") for window in WINDOWS),
        sortable("Accepted", "n", "accepted"),
        sortable("Rejected", "n", "rejected"),
        sortable("Efficiency", "n", "efficiency", largest_first=False),
        sortable("Best share", "n", "best"),
        sortable("Last share", "n", "last_share"),
        Column("Difficulty", "n"),
        Column("Connected", "n"),
        Column("Agent", "w"),
    ]


def _rig_row(rig: RigRow, now: float) -> tuple[str | Cell, ...]:
    several = f"{rig.sessions} times" if rig.sessions > 1 else ""
    connected = _UNKNOWN if rig.connected_at is None else show_age(rig.connected_at, now)
    return (
        rig.worker,
        *_deeds(rig, now),
        show_difficulty(rig.difficulty),
        Cell(connected, several),
        rig.agent,
    )


def _pages(status: Status, shown: int) -> str:
    """Which rows these are, and the way to the others."""
    first = status.rigs_offset
    total = max(status.workers_total, shown)
    if not first and shown >= total:
        return ""
    there = []
    if first:
        back = max(first - RIGS_SHOWN, 0)
        there.append(("previous", page_link(status.rigs_sort, back)))
    if first + shown < total:
        there.append(("next", page_link(status.rigs_sort, first + shown)))
    rows = f"{first + 1:,} to {first + shown:,} of {total:,}" if shown else f"none of {total:,}"
    return f'<div class="pages"><p>{text(rows)}</p>{links("More rigs", there)}</div>'


def _deeds(row: RigRow | GroupRow, now: float) -> tuple[str | Cell, ...]:
    """What the books say of a worker or a group, in the order of the columns."""
    return (
        *(_rate(row.rates.get(window)) for window in WINDOWS),
        f"{row.accepted:,}",
        Cell(f"{row.rejected:,}", show_counts(row.rejects)),
        _efficiency(row.efficiency),
        _best(row.best),
        show_age(row.last_share_at, now),
    )


def _rate(rate: RateRow | None) -> str | Cell:
    if rate is None or not rate.seconds:
        return _UNKNOWN
    low, high = show_hashrate(rate.low), show_hashrate(rate.high)
    return Cell(
        show_hashrate(rate.hashrate),
        show_spread(rate.hashrate, rate.low, rate.high),
        f"{low} to {high} with 95 % confidence, over {show_span(rate.seconds)}",
    )


def _efficiency(efficiency: float | None) -> str:
    return _UNKNOWN if efficiency is None else show_share(efficiency)


def _best(best: float | None) -> str:
    return _UNKNOWN if best is None else show_difficulty(best)


def _events(status: Status) -> str:
    columns = (Column("When", "n"), Column("What", "w"))
    rows: Iterable[tuple[str, str]] = (
        (show_age(event.at, status.now), event.text) for event in status.events
    )
    return section("Events", table("Events", columns, rows, "None yet."))
