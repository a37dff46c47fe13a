"""What a record of the log means to the books.

Shares are folded in C and come as sums. The other records that the books care about become
values here, and everything that a record must hold is checked here: behind this edge an effect
is whole. Records of other types (jobs, policy) change no book.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stratum.events import BlockFate
from stratum.ledger.errors import LogDamaged
from stratum.ledger.records import BodyLeaf, RecordType
from stratum.mining.verdicts import Verdict

#: Rejected shares are counted in this order.
CAUSES = tuple(verdict for verdict in Verdict if verdict is not Verdict.ACCEPTED)

#: The account and worker of what nobody can be credited or blamed for.
NOBODY = 0


@dataclass(frozen=True, slots=True)
class AccountAdded:
    time_us: int
    account_id: int
    name: str
    script_pubkey: bytes


@dataclass(frozen=True, slots=True)
class WorkerAdded:
    time_us: int
    worker_id: int
    account_id: int
    name: str  # its own, behind the dot; may be empty


@dataclass(frozen=True, slots=True)
class Rejects:
    """What was refused of one worker on one tier in one minute."""

    time_us: int
    account_id: int
    worker_id: int
    listen: int  # index of the tier
    counts: tuple[int, ...]  # in the order of CAUSES


@dataclass(frozen=True, slots=True)
class BlockKept:
    time_us: int
    block_hash: bytes
    height: int
    worker: str
    sats: int


@dataclass(frozen=True, slots=True)
class FateKept:
    time_us: int
    block_hash: bytes
    fate: str
    reason: str


Effect = AccountAdded | WorkerAdded | Rejects | BlockKept | FateKept

#: The types whose bodies are worth reading.
EFFECTIVE = frozenset(
    {
        RecordType.ACCOUNT,
        RecordType.WORKER,
        RecordType.REJECT,
        RecordType.BLOCK,
        RecordType.BLOCK_STATUS,
    }
)


def read_effect(index: int, leaf: BodyLeaf, body: Mapping[str, Any]) -> Effect:
    """The effect of a record of one of EFFECTIVE. Raises LogDamaged for a body that is not one."""
    fields = _Fields(body)
    try:
        return _read(leaf, fields)
    except (KeyError, ValueError) as exc:
        raise LogDamaged(f"record {index} of the log, {leaf.type.name}: {exc}") from exc


def _read(leaf: BodyLeaf, fields: _Fields) -> Effect:
    time_us = leaf.time_us
    match leaf.type:
        case RecordType.ACCOUNT:
            return AccountAdded(
                time_us, fields.whole("id"), fields.text("name"), fields.data("script")
            )
        case RecordType.WORKER:
            return WorkerAdded(
                time_us, fields.whole("id"), fields.whole("account"), fields.text("name")
            )
        case RecordType.REJECT:
            account_id, worker_id = fields.whole("account"), fields.whole("worker")
            counts = fields.counts("counts")
            return Rejects(time_us, account_id, worker_id, fields.whole("listen"), counts)
        case RecordType.BLOCK:
            return BlockKept(
                time_us,
                fields.data("hash"),
                fields.whole("height"),
                fields.text("worker"),
                fields.whole("sats"),
            )
        case RecordType.BLOCK_STATUS:
            fate = BlockFate(fields.text("fate"))
            return FateKept(time_us, fields.data("hash"), fate, fields.text("reason"))
    raise AssertionError(f"{leaf.type.name} has no effect")


class _Fields:
    """Raises KeyError for what is missing, ValueError for what has another type."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body

    def whole(self, key: str) -> int:
        value = self._body[key]
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f"{key} is {value!r}, expected a whole number")
        return value

    def text(self, key: str) -> str:
        value = self._body[key]
        if not isinstance(value, str):
            raise ValueError(f"{key} is {value!r}, expected text")
        return value

    def data(self, key: str) -> bytes:
        value = self._body[key]
        if not isinstance(value, bytes):
            raise ValueError(f"{key} is {value!r}, expected bytes")
        return value

    def counts(self, key: str) -> tuple[int, ...]:
        """Counts by verdict, in the order of CAUSES."""
        given = self._body[key]
        if not isinstance(given, dict) or not set(given) <= set(CAUSES):
            raise ValueError(f"{key} is {given!r}, expected counts by verdict")
        numbers = _Fields(given)
        return tuple(numbers.whole(cause) if cause in given else 0 for cause in CAUSES)
