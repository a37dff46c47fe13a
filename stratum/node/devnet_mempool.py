"""Transactions for the devnet: well-formed, legacy and segwit, with fees and parents.

Nobody sends money on a devnet, yet a pool is only tried by blocks with transactions in them. So
this mempool invents them at a steady rate, from a seed: inputs that name coins which never were,
signatures and keys of random bytes in the right places and sizes, and now and then a child of an
earlier transaction. Parents always come first, which is the order a block needs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from stratum.bitcoin.script import push_data
from stratum.bitcoin.transaction import Output, Reader, compact_size, read_transaction
from stratum.node.devnet_chain import DevChain, KnownTransaction

#: As many as wait at once: a fuller mempool would only slow the templates down.
MOST_WAITING: Final = 2_000

_SIGNATURE_SIZE = 71  # DER, low s, with its hash type
_PUBLIC_KEY_SIZE = 33
_CHILD_CHANCE = 0.25
_SEGWIT_CHANCE = 0.6
_NEWEST = 50  # a child's parent is one of these


class DevMempool:
    """Invents transactions; `known` is what a DevChain accepts in its blocks."""

    def __init__(
        self, rate_per_s: float = 2.0, seed: int = 1, most_waiting: int = MOST_WAITING
    ) -> None:
        self.known: dict[bytes, KnownTransaction] = {}
        self.rate_per_s = rate_per_s
        self._most_waiting = most_waiting
        self._random = random.Random(seed)
        self._waiting: dict[bytes, KnownTransaction] = {}
        self._grown_until: float | None = None

    def grow(self, now: float) -> None:
        """Add what arrived since the last call; the first call only starts the clock."""
        if self._grown_until is None:
            self._grown_until = now
        due = int((now - self._grown_until) * self.rate_per_s)
        if due > 0:
            self._grown_until += due / self.rate_per_s
            self.add(due)

    def add(self, count: int) -> None:
        """Add `count` transactions at once, as far as there is room."""
        for _ in range(min(count, self._most_waiting - len(self._waiting))):
            transaction = self._invent()
            self.known[transaction.txid] = transaction
            self._waiting[transaction.txid] = transaction

    def waiting(self, chain: DevChain, weight_limit: int) -> list[KnownTransaction]:
        """What the next block on the tip may hold, parents first, up to a weight."""
        chosen = []
        for transaction in self._unconfirmed(chain):
            weight_limit -= transaction.weight
            if weight_limit < 0:
                break  # all later ones may be children of this one
            chosen.append(transaction)
        return chosen

    def settle(self, chain: DevChain, buried: int = 6) -> None:
        """Forget what no reorganisation will bring back: confirmed `buried` blocks ago."""
        entry = chain.at(chain.tip.height - buried)
        if entry is not None:
            for txid in entry.txids:
                self._waiting.pop(txid, None)

    def _unconfirmed(self, chain: DevChain) -> Iterator[KnownTransaction]:
        return (one for one in self._waiting.values() if not chain.is_confirmed(one.txid))

    def _invent(self) -> KnownTransaction:
        segwit = self._random.random() < _SEGWIT_CHANCE
        coins, depends = self._coins()
        script_sig = b"" if segwit else push_data(self._signature()) + push_data(self._key())
        inputs = b"".join(
            coin + compact_size(len(script_sig)) + script_sig + b"\xfd\xff\xff\xff"
            for coin in coins
        )
        outputs = b"".join(self._output(segwit).serialize() for _ in range(2))
        body = compact_size(len(coins)) + inputs + compact_size(2) + outputs
        if segwit:
            stack = b"".join(
                compact_size(2) + push_data(self._signature()) + push_data(self._key())
                for _ in coins
            )
            serialized = b"\x02\0\0\0\0\1" + body + stack + bytes(4)
        else:
            serialized = b"\x02\0\0\0" + body + bytes(4)
        return self._with_fee(serialized, depends)

    def _coins(self) -> tuple[list[bytes], tuple[bytes, ...]]:
        """One or two outpoints; the first may be an output of a waiting transaction."""
        coins = [self._random.randbytes(32) + bytes(4) for _ in range(self._random.choice((1, 2)))]
        newest = list(self._waiting)[-_NEWEST:]
        if not newest or self._random.random() >= _CHILD_CHANCE:
            return coins, ()
        parent = self._random.choice(newest)
        coins[0] = parent + self._random.choice((0, 1)).to_bytes(4, "little")
        return coins, (parent,)

    def _with_fee(self, serialized: bytes, depends: tuple[bytes, ...]) -> KnownTransaction:
        transaction = read_transaction(Reader(serialized))
        weight = 3 * len(transaction.stripped) + len(serialized)
        fee = weight // 4 * self._random.randint(1, 40)  # 1 to 40 sat/vB
        return KnownTransaction(
            serialized, transaction.txid, transaction.wtxid, weight, fee, depends
        )

    def _output(self, segwit: bool) -> Output:
        hash160 = self._random.randbytes(20)
        script = b"\x00\x14" + hash160 if segwit else b"\x76\xa9\x14" + hash160 + b"\x88\xac"
        return Output(self._random.randint(10_000, 100_000_000), script)

    def _signature(self) -> bytes:
        return self._random.randbytes(_SIGNATURE_SIZE)

    def _key(self) -> bytes:
        return b"\x02" + self._random.randbytes(_PUBLIC_KEY_SIZE - 1)
