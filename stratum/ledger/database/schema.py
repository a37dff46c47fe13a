"""The tables of the books.

`work` is a sum of weights and may need more than 64 bits, but must stay exact where SQL adds it
up. So it is two columns: `work_low` holds the lowest 40 bits, `work_high` the rest. SQL's sum()
over 2^23 rows of each fits its 64-bit integer, and work may grow to 2^103: every hash that was
ever computed for Bitcoin is about 2^96.

The migrations make these tables; a test compares the two.
"""

from __future__ import annotations

import sqlalchemy as sa

from stratum.ledger.effects import CAUSES

WORK_LOW_BITS = 40
_WORK_HIGH_LIMIT = 1 << 63

metadata = sa.MetaData()

#: One row; `edge` is the Merkle tree's right edge over the records before next_index.
cursor = sa.Table(
    "cursor",
    metadata,
    sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1"), primary_key=True),
    sa.Column("next_index", sa.BigInteger, nullable=False),
    sa.Column("last_leaf", sa.LargeBinary, nullable=False),
    sa.Column("edge", sa.LargeBinary, nullable=False),
)

#: Number 0 is nobody, here and in `workers`: whom rejects without a name belong to.
accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("script_pubkey", sa.LargeBinary, nullable=False),
    sa.Column("added_us", sa.BigInteger, nullable=False),
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("added_us", sa.BigInteger, nullable=False),
    sa.Index("workers_by_name", "name"),
)

blocks = sa.Table(
    "blocks",
    metadata,
    sa.Column("block_hash", sa.LargeBinary, primary_key=True),  # internal order
    sa.Column("height", sa.BigInteger, nullable=False),
    sa.Column("worker", sa.Text, nullable=False),
    sa.Column("sats", sa.BigInteger, nullable=False),
    sa.Column("found_us", sa.BigInteger, nullable=False),
    sa.Column("fate", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)


def _key(name: str, foreign: str | None = None) -> sa.Column[int]:
    if foreign is None:
        return sa.Column(name, sa.BigInteger, primary_key=True, autoincrement=False)
    return sa.Column(name, sa.ForeignKey(foreign), primary_key=True, autoincrement=False)


def rejected_column(cause: str) -> str:
    return f"rejected_{cause}"


REJECTED = tuple(map(rejected_column, CAUSES))

_SUMS = ("shares", "work_high", "work_low", "best", *REJECTED)


def _sums() -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in _SUMS]


#: What a worker did on a tier in one bucket of `span` seconds that begins at Unix time `bucket`.
rollups = sa.Table(
    "rollups",
    metadata,
    _key("span"),
    _key("bucket"),
    _key("worker_id", "workers.id"),
    _key("account_id", "accounts.id"),
    _key("listen"),
    *_sums(),
    sqlite_with_rowid=False,
)

#: The same since the log began. `since` is the minute of the first share.
totals = sa.Table(
    "totals",
    metadata,
    _key("worker_id", "workers.id"),
    _key("account_id", "accounts.id"),
    _key("listen"),
    *_sums(),
    sa.Column("since", sa.BigInteger),
    sa.Column("last_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


#: What a batch adds, in ten minutes; from here SQL adds it to the tables above. Every connection
#: has its own, in memory, so it is no matter of migrations.
staged = sa.Table(
    "staged",
    sa.MetaData(),
    *(
        sa.Column(name, sa.BigInteger)
        for name in ("bucket", "worker_id", "account_id", "listen", *_SUMS, "since", "last_us")
    ),
    prefixes=["TEMPORARY"],
)


def split_work(work: int) -> tuple[int, int]:
    """(work_high, work_low). Raises ValueError for work beyond 2^103."""
    high = work >> WORK_LOW_BITS
    if not 0 <= high < _WORK_HIGH_LIMIT:
        raise ValueError(f"work is {work}, the books hold 0 to 2^103")
    return high, work & ((1 << WORK_LOW_BITS) - 1)


def join_work(high: int, low: int) -> int:
    """Also of columns that sum() added up: a low part may have outgrown its bits."""
    return (high << WORK_LOW_BITS) + low
