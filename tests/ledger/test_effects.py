from __future__ import annotations

from typing import Any

import pytest

from stratum.ledger.effects import (
    CAUSES,
    EFFECTIVE,
    AccountAdded,
    BlockKept,
    FateKept,
    Rejects,
    WorkerAdded,
    read_effect,
)
from stratum.ledger.errors import LogDamaged
from stratum.ledger.records import BodyLeaf, RecordType
from stratum.mining.verdicts import Verdict

BODIES: dict[RecordType, dict[str, Any]] = {
    RecordType.ACCOUNT: {"id": 3, "name": "farm", "script": b"\x51", "version": 1},
    RecordType.WORKER: {"account": 3, "id": 4, "name": "rig"},
    RecordType.REJECT: {"account": 3, "worker": 4, "listen": 1, "counts": {"stale": 2}},
    RecordType.BLOCK: {"hash": bytes(32), "height": 7, "worker": "farm.rig", "sats": 50},
    RecordType.BLOCK_STATUS: {"hash": bytes(32), "fate": "rejected", "reason": "bad-cb-amount"},
}


def leaf(kind: RecordType) -> BodyLeaf:
    return BodyLeaf(kind, 0, 1, 0, 1_000_000, bytes(32))


def test_each_record_that_matters_becomes_its_effect() -> None:
    counts = tuple(2 if cause is Verdict.STALE else 0 for cause in CAUSES)
    assert {kind: read_effect(9, leaf(kind), body) for kind, body in BODIES.items()} == {
        RecordType.ACCOUNT: AccountAdded(1_000_000, 3, "farm", b"\x51"),
        RecordType.WORKER: WorkerAdded(1_000_000, 4, 3, "rig"),
        RecordType.REJECT: Rejects(1_000_000, 3, 4, 1, counts),
        RecordType.BLOCK: BlockKept(1_000_000, bytes(32), 7, "farm.rig", 50),
        RecordType.BLOCK_STATUS: FateKept(1_000_000, bytes(32), "rejected", "bad-cb-amount"),
    }
    assert set(BODIES) == EFFECTIVE


@pytest.mark.parametrize("kind", sorted(EFFECTIVE))
def test_record_without_a_field_is_damage_with_its_place(kind: RecordType) -> None:
    for key in BODIES[kind].keys() - {"version"}:
        body = {name: value for name, value in BODIES[kind].items() if name != key}
        with pytest.raises(LogDamaged, match=f"record 9 of the log, {kind.name}: '{key}'"):
            read_effect(9, leaf(kind), body)


@pytest.mark.parametrize(
    ("kind", "changed", "complaint"),
    [
        (RecordType.WORKER, {"id": -1}, "id is -1, expected a whole number"),
        (RecordType.WORKER, {"id": True}, "id is True, expected a whole number"),
        (RecordType.ACCOUNT, {"name": b"farm"}, "name is b'farm', expected text"),
        (RecordType.ACCOUNT, {"script": "51"}, "script is '51', expected bytes"),
        (RecordType.REJECT, {"counts": {"lazy": 1}}, "expected counts by verdict"),
        (RecordType.REJECT, {"counts": {"accepted": 1}}, "expected counts by verdict"),
        (RecordType.REJECT, {"counts": {"stale": "1"}}, "stale is '1', expected a whole number"),
        (RecordType.BLOCK_STATUS, {"fate": "eaten"}, "'eaten' is not a valid BlockFate"),
    ],
)
def test_record_with_a_field_of_another_kind_is_damage(
    kind: RecordType, changed: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(LogDamaged, match=complaint):
        read_effect(9, leaf(kind), BODIES[kind] | changed)
