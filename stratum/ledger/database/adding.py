"""The statements that add a batch's sums to the tables: x = x + excluded.x.

A batch lies in `staged`, in ten minutes. Each span is one statement from there, so that Python
and the driver touch every row once and SQLite does the rest: with 20,000 changed workers a
commit takes a quarter of the time that upserts by row would.

SQL's right shift and mask carry from work_low into work_high; schema tells why there are two.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from stratum.ledger.database import schema
from stratum.ledger.rollups import SPANS, Span

_LOW_MASK = (1 << schema.WORK_LOW_BITS) - 1

#: Columns that simply add up.
_ADDED = ("shares", *schema.REJECTED)

_staged = schema.staged.c

_SERIES = (_staged.worker_id, _staged.account_id, _staged.listen)


def _add_rollups(span: Span) -> sa.Executable:
    bucket = (_staged.bucket - _staged.bucket % span.seconds).label("bucket")
    keys = (sa.literal(span.seconds).label("span"), bucket, *_SERIES)
    return _upsert(schema.rollups, sa.select(*keys, *_sums()).group_by(bucket, *_SERIES), {})


def _add_totals() -> sa.Executable:
    times = (
        sa.func.min(_staged.since).label("since"),
        sa.func.max(_staged.last_us).label("last_us"),
    )
    query = sa.select(*_SERIES, *_sums(), *times).group_by(*_SERIES)
    old, new = schema.totals.c, insert(schema.totals).excluded
    # SQLite's min() of two values is NULL where one of them is.
    since = sa.func.min(
        sa.func.coalesce(old.since, new.since), sa.func.coalesce(new.since, old.since)
    )
    times_set = {"since": since, "last_us": sa.func.max(old.last_us, new.last_us)}
    return _upsert(schema.totals, query, times_set)


def _sums() -> list[sa.ColumnElement[Any]]:
    """The sums of a group of staged rows, under the names of the tables' columns."""
    low = sa.func.sum(_staged.work_low)
    return [
        *(sa.func.sum(_staged[name]).label(name) for name in _ADDED),
        (sa.func.sum(_staged.work_high) + low.bitwise_rshift(schema.WORK_LOW_BITS)).label(
            "work_high"
        ),
        low.bitwise_and(_LOW_MASK).label("work_low"),
        sa.func.max(_staged.best).label("best"),
    ]


def _upsert(table: sa.Table, query: sa.Select[Any], more: dict[str, Any]) -> sa.Executable:
    """Insert the rows of a query, or add them to those that are there; `more` sets the rest."""
    # "WHERE true" tells SQLite's parser that ON CONFLICT is none of a join's ON.
    statement = insert(table).from_select(query.selected_columns.keys(), query.where(sa.true()))
    old, new = table.c, statement.excluded
    low = old.work_low + new.work_low
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={
            **{name: old[name] + new[name] for name in _ADDED},
            "work_high": old.work_high + new.work_high + low.bitwise_rshift(schema.WORK_LOW_BITS),
            "work_low": low.bitwise_and(_LOW_MASK),
            "best": sa.func.max(old.best, new.best),
            **more,
        },
    )


#: To be run in this order or any other, once a batch.
ADD_STAGED = (*map(_add_rollups, SPANS), _add_totals())
