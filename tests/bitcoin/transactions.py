"""Transactions for the tests of this package, serialized by a writer of its own."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from stratum.bitcoin.transaction import Input, Output


def count(number: int) -> bytes:
    """BIP 144's compact size, written down once more."""
    if number < 253:
        return bytes([number])
    size, prefix = (2, 253) if number < 2**16 else (4, 254) if number < 2**32 else (8, 255)
    return bytes([prefix]) + number.to_bytes(size, "little")


@dataclass(frozen=True, slots=True)
class Made:
    """A transaction as made up; `witness` is empty or holds one stack per input."""

    version: int
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    witness: tuple[tuple[bytes, ...], ...]
    lock_time: int

    @property
    def body(self) -> bytes:
        parts = [count(len(self.inputs))]
        for source in self.inputs:
            parts += [source.txid, source.index.to_bytes(4, "little")]
            parts += [count(len(source.script_sig)), source.script_sig]
            parts += [source.sequence.to_bytes(4, "little")]
        parts.append(count(len(self.outputs)))
        for output in self.outputs:
            parts += [output.sats.to_bytes(8, "little")]
            parts += [count(len(output.script_pubkey)), output.script_pubkey]
        return b"".join(parts)

    @property
    def ends(self) -> tuple[bytes, bytes]:
        return self.version.to_bytes(4, "little"), self.lock_time.to_bytes(4, "little")

    @property
    def stripped(self) -> bytes:
        version, lock_time = self.ends
        return version + self.body + lock_time

    @property
    def serialized(self) -> bytes:
        if not self.witness:
            return self.stripped
        version, lock_time = self.ends
        stacks = b"".join(
            count(len(stack)) + b"".join(count(len(item)) + item for item in stack)
            for stack in self.witness
        )
        return version + b"\x00\x01" + self.body + stacks + lock_time


UINT32 = st.integers(0, 2**32 - 1)
HASH = st.binary(min_size=32, max_size=32)
SCRIPT = st.one_of(st.binary(max_size=40), st.just(bytes(252)), st.just(bytes(253)))

INPUTS = st.builds(Input, HASH, UINT32, SCRIPT, UINT32)
OUTPUTS = st.builds(Output, st.integers(0, 21 * 10**14), SCRIPT)


@st.composite
def transactions(draw: st.DrawFn) -> Made:
    inputs = tuple(draw(st.lists(INPUTS, min_size=1, max_size=3)))
    stack = st.lists(st.binary(max_size=80), max_size=3).map(tuple)
    witness = draw(st.one_of(st.just(()), st.tuples(*(stack for _ in inputs))))
    outputs = tuple(draw(st.lists(OUTPUTS, max_size=3)))
    return Made(draw(UINT32), inputs, outputs, witness, draw(UINT32))
