"""The books as they began.

Columns are written out here and not taken from schema.py, which goes on changing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_CAUSES = (
    "stale",
    "unknown_job",
    "duplicate",
    "low_difficulty",
    "bad_time",
    "bad_version",
    "malformed",
    "unauthorized",
    "not_subscribed",
    "limited",
)


def upgrade() -> None:
    _make_small_tables()
    _make_sums("rollups", before=["span", "bucket"], after=[])
    _make_sums(
        "totals",
        before=[],
        after=[
            sa.Column("since", sa.BigInteger),
            sa.Column("last_us", sa.BigInteger, nullable=False),
        ],
    )
    op.execute("INSERT INTO accounts VALUES (0, '', x'', 0)")
    op.execute("INSERT INTO workers VALUES (0, 0, '', 0)")
    op.execute("INSERT INTO cursor VALUES (1, 0, x'', x'')")


def downgrade() -> None:
    for table in ("totals", "rollups", "blocks", "workers", "accounts", "cursor"):
        op.drop_table(table)


def _make_small_tables() -> None:
    op.create_table(
        "cursor",
        sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1"), primary_key=True),
        sa.Column("next_index", sa.BigInteger, nullable=False),
        sa.Column("last_leaf", sa.LargeBinary, nullable=False),
        sa.Column("edge", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("script_pubkey", sa.LargeBinary, nullable=False),
        sa.Column("added_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("added_us", sa.BigInteger, nullable=False),
    )
    op.create_index("workers_by_name", "workers", ["name"])
    op.create_table(
        "blocks",
        sa.Column("block_hash", sa.LargeBinary, primary_key=True),
        sa.Column("height", sa.BigInteger, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("sats", sa.BigInteger, nullable=False),
        sa.Column("found_us", sa.BigInteger, nullable=False),
        sa.Column("fate", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )


def _make_sums(table: str, before: list[str], after: list[sa.Column[int]]) -> None:
    rejected = [f"rejected_{cause}" for cause in _CAUSES]
    op.create_table(
        table,
        *(_key(name) for name in before),
        _key("worker_id", "workers.id"),
        _key("account_id", "accounts.id"),
        _key("listen"),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("shares", "work_high", "work_low", "best", *rejected)
        ),
        *after,
        sqlite_with_rowid=False,
    )


def _key(name: str, foreign: str | None = None) -> sa.Column[int]:
    references = [] if foreign is None else [sa.ForeignKey(foreign)]
    return sa.Column(name, sa.BigInteger, *references, primary_key=True, autoincrement=False)
