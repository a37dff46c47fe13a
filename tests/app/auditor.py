"""An auditor: hashes every share of a log again, from nothing but the log.

Written from the layout in the books' description and not from the code that wrote them: the
header of a share is version ‖ prevhash ‖ merkle root ‖ ntime ‖ nbits ‖ nonce, its coinbase is
coinb1 ‖ extranonce1 ‖ extranonce2 ‖ coinb2, and coinb2 is a rule: sequence, one output of
coinbasevalue to the account's script, the commitment where there is one, lock time height - 1.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stratum.bitcoin.target import target_from_nbits
from stratum.ledger.reading import read
from stratum.ledger.records import FLAG_BLOCK_CANDIDATE, RecordType, ShareRecord

_DIFF1 = 0xFFFF << 208


@dataclass(frozen=True)
class AuditedShare:
    """A share that is what its record says, and whose it is."""

    share: ShareRecord
    block_hash: bytes
    account: str
    worker: str


def audit(data_dir: Path) -> list[AuditedShare]:
    """Every share of the log. AssertionError where one is not what the log says of it."""
    bodies: dict[RecordType, dict[int, dict[str, Any]]] = {kind: {} for kind in RecordType}
    audited: list[AuditedShare] = []
    shift = 0
    for index, record in read(data_dir):
        if isinstance(record, ShareRecord):
            assert record.edge_seq == len(audited), "shares are numbered without a gap"
            audited.append(_audit_share(record, bodies, shift))
            continue
        kind, body = record.leaf.type, record.body
        if kind is RecordType.POLICY:
            shift = body["weight_shift"]
        by_id = kind in (RecordType.ACCOUNT, RecordType.WORKER)
        bodies[kind][body["id"] if by_id else index] = body
    return audited


def _audit_share(
    share: ShareRecord, bodies: dict[RecordType, dict[int, dict[str, Any]]], shift: int
) -> AuditedShare:
    # Each was written before the first share that names it.
    job = bodies[RecordType.JOB][share.job_index]
    account = bodies[RecordType.ACCOUNT][share.account_id]
    worker = bodies[RecordType.WORKER][share.worker_id]
    assert worker["account"] == share.account_id

    number = _hash_share(share, job, account["script"])
    assert number * share.weight <= _DIFF1 << shift, "the hash meets the weight it is credited"
    is_block = number <= target_from_nbits(job["nbits"])
    assert bool(share.flags & FLAG_BLOCK_CANDIDATE) == is_block
    zeros = 256 - number.bit_length()
    assert share.best == zeros << 8 | (number << zeros) >> 248
    block_hash = number.to_bytes(32, "little")
    return AuditedShare(share, block_hash, account["name"], worker["name"])


def _hash_share(share: ShareRecord, job: dict[str, Any], script: bytes) -> int:
    outputs = [_output(job["coinbasevalue"], script)]
    if job["witness_commitment"]:
        outputs.append(_output(0, job["witness_commitment"]))
    coinb2 = (
        struct.pack("<IB", 0xFFFFFFFE, len(outputs))
        + b"".join(outputs)
        + struct.pack("<I", job["height"] - 1)
    )
    folded = _sha256d(job["coinb1"] + share.extranonce1 + share.extranonce2 + coinb2)
    for sibling in job["branch"]:
        folded = _sha256d(folded + sibling)
    header = (
        struct.pack("<I", share.version)
        + job["prevhash"]
        + folded
        + struct.pack("<III", share.ntime, job["nbits"], share.nonce)
    )
    return int.from_bytes(_sha256d(header), "little")


def _output(sats: int, script: bytes) -> bytes:
    assert len(script) < 0xFD
    return struct.pack("<QB", sats, len(script)) + script


def _sha256d(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()
