"""The page at /: one look at the pool, as HTML that needs no script and nothing from outside.

The server renders, and only the server: page.js fetches this same page every two seconds and
changes the text that differs. A second renderer in the browser would be a second place to forget
an escape. Every text passes through _text(), which is the only way into a cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from stratum.observability.show import (
    show_age,
    show_bitcoin,
    show_difficulty,
    show_span,
    shown_name,
)
from stratum.observability.status import RIGS_SHOWN, BlockRow, NodeRow, RigRow, Status
from stratum.units import show_hashrate

#: Enough of a block hash to find it by; its beginning is zeros.
_HASH_TAIL = 16

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
<a href="/metrics">Metrics</a>
<a href="/readyz">Readiness</a>
</footer>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    kind: str = ""  # CSS class: "n" number, "h" hash, "w" long words


def asset(name: str) -> bytes:
    """page.css or page.js, as they lie beside this module."""
    return files(__package__).joinpath(name).read_bytes()


def render_page(status: Status) -> str:
    parts = (
        _header(status),
        _figures(status),
        _job(status),
        _nodes(status.nodes),
        _blocks(status.blocks, status.now),
        _rigs(status),
        _events(status),
    )
    title = f"{show_hashrate(status.hashrate)} · baseload {status.network}"
    return _PAGE.format(title=_text(title), look="\n".join(parts))


def _header(status: Status) -> str:
    state = f"no work: {status.fault}" if status.fault else "mining"
    mark = "bad" if status.fault else "good"
    about = f"{status.network} · version {status.version}"
    return (
        f'<header><h1>baseload</h1><p class="about">{_text(about)}</p>'
        f'<p class="state {mark}">{_text(state)}</p></header>'
    )


def _figures(status: Status) -> str:
    accepted = status.shares.get("accepted", 0)
    rejected = sum(status.shares.values()) - accepted
    share = f" ({rejected / (accepted + rejected):.2%})" if rejected else ""
    return _pairs(
        "figures",
        (
            ("Hashrate", show_hashrate(status.hashrate)),
            ("Rigs", f"{status.rigs_total:,}"),
            ("Connections", f"{status.connections:,}"),
            ("Shares accepted", f"{accepted:,}"),
            ("Shares rejected", f"{rejected:,}{share}"),
            ("Up for", show_span(status.now - status.started_at)),
        ),
    )


def _job(status: Status) -> str:
    job = status.job
    if job is None:
        return _section("Current job", _nothing("None yet."))
    return _section(
        "Current job",
        _pairs(
            "job",
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
    columns = (_Column("Node"), _Column("State", "w"), _Column("Height", "n"))
    rows = (
        (node.name, _node_state(node), f"{node.height:,}" if node.height else "unknown")
        for node in nodes
    )
    return _section("Nodes", _table("Nodes", columns, rows, "No node is configured."))


def _node_state(node: NodeRow) -> str:
    if not node.up:
        return f"down: {node.fault}" if node.fault else "down"
    return "up, gives work" if node.active else "up"


def _blocks(blocks: Sequence[BlockRow], now: float) -> str:
    columns = (
        _Column("Height", "n"),
        _Column("Fate", "w"),
        _Column("Value", "n"),
        _Column("Found by", "w"),
        _Column("When", "n"),
        _Column("Hash", "h"),
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
        for block in blocks
    )
    return _section("Blocks", _table("Blocks", columns, rows, "None found yet."))


def _rigs(status: Status) -> str:
    columns = (
        _Column("Worker", "w"),
        _Column("Hashrate", "n"),
        _Column("Difficulty", "n"),
        _Column("Accepted", "n"),
        _Column("Rejected", "n"),
        _Column("Last share", "n"),
        _Column("Connected", "n"),
        _Column("Agent", "w"),
    )
    shown = status.rigs[:RIGS_SHOWN]
    rows = (_rig_row(rig, status.now) for rig in shown)
    where = " or ".join(f"stratum+tcp://{address}" for address in status.listens)
    empty = f"None yet. Point one at {where}." if where else "None yet."
    table = _table("Rigs", columns, rows, empty)

    hidden = status.rigs_total - len(shown)
    more = f"<p>And {hidden:,} more.</p>" if shown and hidden > 0 else ""
    return _section("Rigs", table + more)


def _rig_row(rig: RigRow, now: float) -> tuple[str, ...]:
    return (
        rig.worker,
        show_hashrate(rig.hashrate),
        show_difficulty(rig.difficulty),
        f"{rig.accepted:,}",
        f"{rig.rejected:,}",
        show_age(rig.last_share_at, now),
        show_age(rig.connected_at, now),
        rig.agent,
    )


def _events(status: Status) -> str:
    columns = (_Column("When", "n"), _Column("What", "w"))
    rows = ((show_age(event.at, status.now), event.text) for event in status.events)
    return _section("Events", _table("Events", columns, rows, "None yet."))


def _section(title: str, inside: str) -> str:
    return f"<section><h2>{_text(title)}</h2>{inside}</section>"


def _pairs(kind: str, pairs: Iterable[tuple[str, str]]) -> str:
    """A description list: names and values, in the order that a reader wants them."""
    inside = "".join(
        f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>" for name, value in pairs
    )
    return f'<dl class="{kind}">{inside}</dl>'


def _table(
    label: str, columns: Sequence[_Column], rows: Iterable[Sequence[str]], empty: str
) -> str:
    """`empty` stands in where there are no rows. The box scrolls, so the keyboard may enter it."""
    body = "".join(f"<tr>{_cells(columns, row)}</tr>" for row in rows)
    if not body:
        return _nothing(empty)
    head = "".join(
        f'<th scope="col" class="{column.kind}">{_text(column.title)}</th>' for column in columns
    )
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{_text(label)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(columns: Sequence[_Column], row: Sequence[str]) -> str:
    return "".join(
        f'<td class="{column.kind}">{_text(cell)}</td>'
        for column, cell in zip(columns, row, strict=True)
    )


def _nothing(text: str) -> str:
    return f'<p class="nothing">{_text(text)}</p>'


def _text(text: str) -> str:
    return escape(shown_name(text))
