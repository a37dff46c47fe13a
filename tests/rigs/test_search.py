"""The walk over headers: nothing left out, nothing twice, and the known blocks found."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hashing
from stratum.bitcoin.header import Header
from stratum.protocol.upstream import Upstream, UpstreamSettings
from stratum.protocol.upstream_events import NotifyReceived, UpstreamJob
from stratum.rigs.search import (
    MAX_NTIME_ROLL,
    MAX_SHARES_PER_STEP,
    Found,
    Position,
    Row,
    Search,
    rows,
)

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "wire_vectors.json").read_text()
)["blocks"]

Key = tuple[int, bytes, int, int]


def job(**changes: Any) -> UpstreamJob:
    fields: dict[str, Any] = {
        "job_id": "1",
        "prevhash": bytes(range(32)),
        "coinb1": b"\x01" * 40,
        "coinb2": b"\x02" * 40,
        "branch": (b"\x03" * 32,),
        "version": 0x20000000,
        "nbits": 0x1D00FFFF,
        "ntime": 1_700_000_000,
        "clean_jobs": True,
        "difficulty": Fraction(1),
        "target": (1 << 256) // 8,
        "extranonce1": b"\xaa\xbb\xcc\xdd",
        "extranonce2_size": 1,
        "version_mask": 0x00006000,
    }
    return UpstreamJob(**(fields | changes))


def key(found: Found) -> Key:
    return found.ntime, found.extranonce2, found.version_bits, found.nonce


def brute_force(work: UpstreamJob, walk: list[Row], nonces: int) -> list[Key]:
    """The same headers, one by one and put together another way."""
    found = []
    for row in walk:
        coinbase = work.coinb1 + work.extranonce1 + row.extranonce2 + work.coinb2
        root = hashing.sha256d(hashing.sha256d(coinbase) + work.branch[0])
        version = (work.version & ~work.version_mask) | row.version_bits
        for nonce in range(nonces):
            header = Header(version, work.prevhash, root, row.ntime, work.nbits, nonce)
            if int.from_bytes(header.block_hash, "little") <= work.target:
                found.append((row.ntime, row.extranonce2, row.version_bits, nonce))
    return found


def run(search: Search, hashes: int, step: int) -> list[Found]:
    found: list[Found] = []
    while hashes > 0 and not search.is_exhausted:
        done = search.step(min(step, hashes))
        found += done.shares
        hashes -= done.hashes
    return found


@given(step=st.integers(1, 200), seed=st.integers(0, 2**64 - 1))
@settings(max_examples=40)
def test_every_share_that_brute_force_finds_is_found_once(step: int, seed: int) -> None:
    nonces, row_count = 16, 20
    work = job(coinb1=seed.to_bytes(8, "little"), version=0x20004000)
    found = run(Search(work, nonces=nonces), nonces * row_count, step)
    walk = [*islice(rows(work, 0, 1, Position(work.ntime, 0, 0, 0)), row_count)]
    assert [key(share) for share in found] == brute_force(work, walk, nonces)


@given(parts=st.integers(1, 5), mask=st.sampled_from([0, 0x2000, 0x00A00000, 0x1C002000]))
@settings(max_examples=20, deadline=None)
def test_parts_are_disjoint_and_together_the_whole_space(parts: int, mask: int) -> None:
    work = job(version_mask=mask, ntime=0xFFFFFFFF)  # no ntime left to roll
    seen: list[Key] = []
    for part in range(parts):
        walk = rows(work, part, parts, Position(work.ntime, part, 0, 0))
        seen += [(row.ntime, row.extranonce2, row.version_bits, 0) for row in walk]
    assert len(seen) == len(set(seen)) == 256 << mask.bit_count()
    assert all(bits & ~mask == 0 for _, _, bits, _ in seen)


def test_nonce_rolls_first_then_version_then_extranonce2_then_ntime() -> None:
    work = job(version_mask=0x2000, target=2**256 - 1)
    found = run(Search(work, part=0, parts=128, nonces=2), 10, 10)
    order = [(share.ntime - work.ntime, share.extranonce2[0]) for share in found]
    assert [share.nonce for share in found] == [0, 1] * 5
    assert [share.version_bits for share in found[::2]] == [0, 0x2000, 0, 0x2000, 0]
    assert order[::2] == [(0, 0), (0, 0), (0, 128), (0, 128), (1, 0)]


def test_space_ends_after_the_last_ntime() -> None:
    work = job(version_mask=0, target=0)
    search = Search(work, nonces=1)
    space = 256 * (MAX_NTIME_ROLL + 1)
    assert search.step(space + 5).hashes == space
    assert search.is_exhausted
    assert search.step(5).hashes == 0


def test_job_with_bits_under_the_mask_has_them_replaced() -> None:
    work = job(version=0x20006000, target=2**256 - 1)
    [row] = islice(rows(work, 0, 1, Position(work.ntime, 0, 0, 0)), 1)
    assert Header.parse(row.header).version == 0x20000000


def test_step_ends_early_when_everything_is_a_share() -> None:
    step = Search(job(target=2**256 - 1)).step(10_000)
    assert len(step.shares) == step.hashes == MAX_SHARES_PER_STEP


def test_hash_of_a_share_is_that_of_its_header() -> None:
    work = job()
    [share, *_] = Search(work).step(1000).shares
    assert int.from_bytes(share.block_hash, "little") <= work.target


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
@pytest.mark.parametrize("before", [0, 1, 5000])
def test_known_block_is_found_from_its_notify(vector: dict[str, Any], before: int) -> None:
    work = job_of(vector)
    _, _, extranonce2, ntime, nonce_hex, *bits = vector["submit"]["params"]
    nonce = int(nonce_hex, 16)
    start = Position(
        int(ntime, 16),
        int.from_bytes(bytes.fromhex(extranonce2), "little"),
        int(bits[0], 16) if bits else 0,
        max(nonce - before, 0),
    )
    step = Search(work, start=start).step(before + 1)
    [found] = step.shares
    assert (found.nonce, found.extranonce2.hex(), found.ntime) == (nonce, extranonce2, start.ntime)
    assert found.block_hash[::-1].hex() == vector["hash"]


def job_of(vector: dict[str, Any]) -> UpstreamJob:
    """What the real conversation makes of a vector's subscribe answer and notify."""
    client = Upstream(UpstreamSettings("user.w1", version_mask=int(vector["mask"], 16)))
    client.connected(0)
    lines: list[dict[str, Any]] = []
    if int(vector["mask"], 16):
        mask = {"version-rolling": True, "version-rolling.mask": vector["mask"]}
        lines.append({"id": 1, "result": mask})
    subscribed = [[], vector["extranonce1"], vector["extranonce2_size"]]
    number = len(lines) + 1
    lines += [
        {"id": number, "result": subscribed},
        {"id": number + 2, "result": True},
        vector["notify"],
    ]
    events = client.receive("".join(json.dumps(line) + "\n" for line in lines).encode(), 0)
    [work] = [event.job for event in events if isinstance(event, NotifyReceived)]
    return work
