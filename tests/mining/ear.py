"""Hears every line that a rig is sent, and holds it against the rules of the wire.

The numbers are those of the reference's §0: what breaks one of them breaks some shipped client.
An Ear knows nothing of the pool; it is what a strict client would be.
"""

from __future__ import annotations

import binascii
import json
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

from stratum.bitcoin.transaction import Reader, read_transaction
from stratum.units import DifficultyScale

Line = dict[str, Any]

_HEX8 = re.compile(r"[0-9a-f]{8}", re.ASCII)
_HEX64 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NUMBER = re.compile(rb'"params":\[(\d+(?:\.\d*[1-9])?)\]\}')
_EXTRANONCE_SIZE = 12
_MASK = 0x1FFFE000


class Ear:
    """One connection's lines, in order."""

    def __init__(self, scale: DifficultyScale) -> None:
        self.lines: list[Line] = []
        self.difficulty: Fraction | None = None
        self.mask = _MASK  # of the bits that a job's version must leave alone
        self._scale = scale
        self._told_difficulty = False  # and no notify since
        self._contents: set[str] = set()
        self._ids: list[str] = []
        self._prevhash = ""

    def hear(self, data: bytes) -> list[Line]:
        """Check and parse what came; whole lines only, since a session writes no others."""
        assert not data or data.endswith(b"\n")
        heard = [self._line(raw) for raw in data.splitlines()]
        assert not self._told_difficulty, "rule 9: set_difficulty without a notify after it"
        self.lines += heard
        return heard

    def _line(self, raw: bytes) -> Line:
        assert len(raw) < 4096, "rule 24: a line of more than 4 KiB"
        assert raw.isascii()
        line: Line = json.loads(raw)
        method = line.get("method")
        if method is None:
            assert list(line) == ["id", "result", "error"]
            _check_error(line)
        elif method != "client.get_version":
            assert line["id"] is None and "result" not in line, "rule 6"
        if self._told_difficulty:
            assert method == "mining.notify", "rule 9: set_difficulty right before a notify"

        if method == "mining.set_difficulty":
            self._set_difficulty(raw)
        elif method == "mining.notify":
            self._notify(line["params"])
        return line

    def _set_difficulty(self, raw: bytes) -> None:
        match = _NUMBER.search(raw)
        assert match, "a plain decimal: no exponent, no .0"
        difficulty = Fraction(Decimal(match[1].decode()))
        assert difficulty > 0 and difficulty != self.difficulty, "says nothing new"
        weight = difficulty * 2**self._scale.shift
        assert weight.denominator == 1, "a whole number of weight units"
        assert _bits(int(weight)) <= 24, "exact in every client's arithmetic, a float32's too"
        self.difficulty = difficulty
        self._told_difficulty = True

    def _notify(self, params: list[Any]) -> None:
        assert len(params) == 9
        job_id, prevhash, coinb1, coinb2, branch, version, nbits, ntime, clean_jobs = params
        assert self.difficulty is not None, "rule 10: the first job comes after a difficulty"
        self._told_difficulty = False

        assert _HEX64.fullmatch(prevhash), "rule 12"
        assert all(_HEX8.fullmatch(field) for field in (version, nbits, ntime)), "rule 12"
        assert all(_HEX64.fullmatch(node) for node in branch) and len(branch) <= 16
        assert int(version, 16) & self.mask == 0, "rule 15"
        assert type(clean_jobs) is bool, "rule 13"
        assert clean_jobs == (prevhash != self._prevhash), "clean_jobs is for a new previous block"
        self._prevhash = prevhash
        self._check_id(job_id)
        content = json.dumps([prevhash, coinb1, branch, version, nbits, ntime])
        assert content not in self._contents, "rule 14: content never under two ids"
        self._contents.add(content)
        _check_coinbase(coinb1, coinb2)

    def _check_id(self, job_id: str) -> None:
        assert re.fullmatch(r"[0-9a-f]{4,8}", job_id, re.ASCII)
        assert job_id not in self._ids, "rule 14: an id is never used again"
        recent = {binascii.crc_hqx(other.encode(), 0) for other in self._ids[-7:]}
        assert binascii.crc_hqx(job_id.encode(), 0) not in recent, "Avalon: CRC-16 of the id"
        self._ids.append(job_id)


def _check_error(line: Line) -> None:
    error = line["error"]
    if error is not None:
        assert len(error) == 3 and type(error[0]) is int and type(error[1]) is str
        assert error[2] is None and line["result"] in (None, False)


def _check_coinbase(coinb1: str, coinb2: str) -> None:
    serialized = bytes.fromhex(coinb1) + bytes(_EXTRANONCE_SIZE) + bytes.fromhex(coinb2)
    assert len(serialized) <= 500, "rule 24"
    reader = Reader(serialized)
    coinbase = read_transaction(reader)
    assert reader.position == len(serialized)
    assert coinbase.stripped == serialized, "without witness"

    (paid_by_nobody,) = coinbase.inputs
    script_sig = paid_by_nobody.script_sig
    assert paid_by_nobody.txid == bytes(32)
    assert 2 <= len(script_sig) <= 100
    start = serialized.index(script_sig)
    assert start < len(coinb1) // 2 <= start + len(script_sig) - _EXTRANONCE_SIZE


def _bits(number: int) -> int:
    """Significant binary digits."""
    return (number // (number & -number)).bit_length()
