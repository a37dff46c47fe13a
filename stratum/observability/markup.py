"""The few forms that the page is made of: sections, lists of pairs, tables.

Every text passes through text() here, which is the only way into the page: whoever builds a page
of these can't forget an escape.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from stratum.observability.show import shown_name


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    kind: str = ""  # CSS class: "n" number, "h" hash, "w" long words
    link: str = ""  # what the title leads to: the same table, sorted by this column
    order: str = ""  # "ascending" or "descending" where the table is sorted by it


@dataclass(frozen=True, slots=True)
class Cell:
    """A value, what qualifies it in small print, and what a pointer that rests on it is told."""

    value: str
    small: str = ""
    hint: str = ""


def text(words: str) -> str:
    return escape(shown_name(words))


def section(title: str, inside: str) -> str:
    return f"<section><h2>{text(title)}</h2>{inside}</section>"


def nothing(words: str) -> str:
    return f'<p class="nothing">{text(words)}</p>'


def links(label: str, to: Iterable[tuple[str, str]]) -> str:
    """(words, address) of each."""
    inside = " ".join(f'<a href="{text(address)}">{text(words)}</a>' for words, address in to)
    return f'<nav aria-label="{text(label)}">{inside}</nav>' if inside else ""


def pairs(kind: str, given: Iterable[tuple[str, str | Cell]]) -> str:
    """A description list: names and values, in the order that a reader wants them."""
    inside = "".join(
        f"<div><dt>{text(name)}</dt><dd{_hint(value)}>{_value(value)}</dd></div>"
        for name, value in given
    )
    return f'<dl class="{kind}">{inside}</dl>'


def table(
    label: str,
    columns: Sequence[Column],
    rows: Iterable[Sequence[str | Cell]],
    empty: str,
    quiet: Iterable[bool] = (),
) -> str:
    """`empty` stands in where there are no rows; rows that are `quiet` step back.

    The box scrolls, so the keyboard may enter it.
    """
    hushed = iter(quiet)
    body = "".join(
        f"<tr{_row_class(next(hushed, False))}>{_cells(columns, row)}</tr>" for row in rows
    )
    if not body:
        return nothing(empty)
    head = "".join(map(_head, columns))
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{text(label)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _head(column: Column) -> str:
    title = text(column.title)
    if column.link:
        title = f'<a href="{text(column.link)}">{title}</a>'
    order = f' aria-sort="{column.order}"' if column.order else ""
    return f'<th scope="col" class="{column.kind}"{order}>{title}</th>'


def _row_class(is_quiet: bool) -> str:
    return ' class="quiet"' if is_quiet else ""


def _cells(columns: Sequence[Column], row: Sequence[str | Cell]) -> str:
    return "".join(
        f'<td class="{column.kind}"{_hint(cell)}>{_value(cell)}</td>'
        for column, cell in zip(columns, row, strict=True)
    )


def _value(cell: str | Cell) -> str:
    if isinstance(cell, str):
        return text(cell)
    small = f" <small>{text(cell.small)}</small>" if cell.small else ""
    return text(cell.value) + small


def _hint(cell: str | Cell) -> str:
    return f' title="{text(cell.hint)}"' if isinstance(cell, Cell) and cell.hint else ""
