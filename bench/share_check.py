"""Measure the check of one share on every back end, beside its floor.

The floor is the SHA-256 compressions that a share needs, one after the other,
at the back end's own speed over a long message (for hashlib, OpenSSL's). What a
Python caller pays above it is the crossing, the result's objects, and the
copying in C. The crossing is measured by itself, as a share with the least
work less that work, so "in C" is an estimate of what a C caller pays. It may
come below the floor: the whole blocks of coinb1 are hashed once per job.

    python -m bench.share_check [--json]
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import NamedTuple

from hashing import native, reference

BRANCHES = 12  # a block of 2,049 to 4,096 transactions
COINB1, EXTRANONCE, COINB2 = 90, 12, 140  # ckpool's layout with a short tag: 242 bytes
DIFF1 = (0xFFFF << 208).to_bytes(32, "little")
LONG_MESSAGE = bytes(1 << 20)


class Row(NamedTuple):
    """One back end; times in nanoseconds, ratios to its own floor.

    hashlib has no crossing of ours: there the whole call is Python.
    """

    backend: str
    compression_ns: float
    floor_ns: float
    call_ns: float
    call_ratio: float
    crossing_ns: float | None = None
    in_c_ns: float | None = None
    in_c_ratio: float | None = None


def blocks(size: int) -> int:
    """The 64-byte blocks of a message with its padding (FIPS 180-4, 5.1.1)."""
    return (size + 9 + 63) // 64


def compressions(coinbase: int, branches: int) -> int:
    """Double hashes of the coinbase, of each pair of nodes, and of the header."""
    return blocks(coinbase) + 1 + 3 * branches + 3


def nanoseconds(call: Callable[[], object], seconds: float) -> float:
    """The fastest of seven runs: what disturbs a run only makes it slower."""
    count, elapsed = 1, 0.0
    while elapsed < seconds / 7:
        count *= 2
        elapsed = _timed(call, count)
    return min(_timed(call, count) for _ in range(7)) / count * 1e9


def _timed(call: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - start


def share_call(core: ModuleType, coinb1: int, coinb2: int, branches: int) -> Callable[[], object]:
    branch = [bytes([level]) * 32 for level in range(branches)]
    job = core.ShareJob(bytes(coinb1), bytes(coinb2), branch, bytes(32), 0x1D00FFFF, 1 << 180)
    extranonce = bytes(EXTRANONCE)
    return lambda: core.check_share(job, extranonce, 0x20000000, 0x66C0C2EA, 7, DIFF1)


def measure(core: ModuleType, name: str, seconds: float) -> Row:
    core.use(name)
    message = nanoseconds(lambda: core.sha256(LONG_MESSAGE), seconds)
    compression = message / blocks(len(LONG_MESSAGE))
    floor = compressions(COINB1 + EXTRANONCE + COINB2, BRANCHES) * compression
    call = nanoseconds(share_call(core, COINB1, COINB2, BRANCHES), seconds)
    row = Row(name, compression, floor, call, call / floor)
    if core is reference:
        return row

    least = nanoseconds(share_call(core, 0, 0, 0), seconds)
    crossing = least - compressions(EXTRANONCE, 0) * compression
    in_c = call - crossing
    return row._replace(crossing_ns=crossing, in_c_ns=in_c, in_c_ratio=in_c / floor)


def measure_all(seconds: float) -> list[Row]:
    before = native.backend()
    rows = [measure(native, name, seconds) for name in native.backends()]
    native.use(before)
    return [*rows, measure(reference, "hashlib", seconds)]


def table(rows: Sequence[Row]) -> str:
    titles = ("ns/block", "floor", "call", "call/floor", "crossing", "in C", "in C/floor")
    digits = (1, 0, 0, 2, 0, 0, 2)
    lines = ["  ".join(f"{title:>10}" for title in ("back end", *titles))]
    for row in rows:
        cells = [
            "-" if value is None else f"{value:.{places}f}"
            for value, places in zip(row[1:], digits, strict=True)
        ]
        lines.append("  ".join(f"{cell:>10}" for cell in (row.backend, *cells)))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Share checks per back end, beside their floor.")
    parser.add_argument("--json", action="store_true", help="print rows as JSON (default: table)")
    parser.add_argument("--seconds", type=float, default=1.0, help="per figure (default: 1 s)")
    options = parser.parse_args()

    rows = measure_all(options.seconds)
    if options.json:
        print(json.dumps([row._asdict() for row in rows]))
        return
    size = COINB1 + EXTRANONCE + COINB2
    print(f"one share: coinbase {size} B, {BRANCHES} branches; floor: ", end="")
    print(f"{compressions(size, BRANCHES)} compressions; times in ns")
    print(table(rows))


if __name__ == "__main__":
    main()
