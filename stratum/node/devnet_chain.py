"""The devnet's chain: regtest from its real genesis, with the rules that a pool can break.

A DevChain holds every valid block it was given, knows which branch has the most work, and judges
new blocks as a full node would: proof of work, merkle root, witness commitment, BIP 34 height,
amounts, times. Refusals are spelled as Bitcoin Core spells them. It runs no scripts and keeps no
coins: a transaction is valid when the mempool of this devnet made it, its parents come before it
and it is not in the branch yet. The clock is an argument.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import hashing
from stratum.bitcoin.block import Block, parse_block
from stratum.bitcoin.coinbase import MAX_SCRIPT_SIG, MIN_SCRIPT_SIG
from stratum.bitcoin.header import HEADER_SIZE, Header
from stratum.bitcoin.merkle import merkle_root
from stratum.bitcoin.networks import REGTEST, subsidy
from stratum.bitcoin.script import push_number
from stratum.bitcoin.target import hash_to_int, internal, target_from_nbits
from stratum.bitcoin.transaction import Transaction, compact_size

#: Regtest's: every second hash meets it.
EASIEST_NBITS = 0x207FFFFF

#: Source: Bitcoin Core, src/consensus/consensus.h and src/chain.h.
MAX_BLOCK_WEIGHT = 4_000_000
MAX_FUTURE_BLOCK_TIME = 7200
MEDIAN_TIME_SPAN = 11

_LOCKTIME_THRESHOLD = 500_000_000  # below: a height, above: a time
_FINAL_SEQUENCE = 0xFFFFFFFF
_COMMITMENT_HEADER = bytes.fromhex("6a24aa21a9ed")  # BIP 141

_GENESIS = Header(
    version=1,
    prevhash=bytes(32),
    merkle_root=internal("4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"),
    ntime=1296688602,
    nbits=EASIEST_NBITS,
    nonce=2,
)


class BlockRefused(Exception):
    """The block breaks a rule; `reason` is Bitcoin Core's word for it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class KnownTransaction:
    """A transaction of the mempool; `depends` are the txids of its parents there."""

    serialized: bytes
    txid: bytes
    wtxid: bytes
    weight: int
    fee: int
    depends: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One valid block in the tree. `work` counts from genesis, `mediantime` includes itself."""

    block_hash: bytes
    header: Header
    height: int
    work: int
    mediantime: int
    txids: tuple[bytes, ...]
    serialized: bytes


class DevChain:
    """A tree of valid blocks and its best tip. A new block must carry `nbits`."""

    def __init__(
        self,
        known: Mapping[bytes, KnownTransaction],
        nbits: int = EASIEST_NBITS,
        *,
        needs_work: bool = True,
    ) -> None:
        """`known` maps txids to the transactions that may be mined; it may grow.

        Without `needs_work` unsolved blocks are taken too: a load test wants new tips on command
        and a difficulty that none of its shares meets.
        """
        self.retarget(nbits)
        self._needs_work = needs_work
        self._known = known
        self._watchers: list[Callable[[], None]] = []
        self._confirmed_by: defaultdict[bytes, set[bytes]] = defaultdict(set)

        genesis = Entry(
            _GENESIS.block_hash, _GENESIS, 0, _work(_GENESIS.nbits), _GENESIS.ntime,
            (_GENESIS.merkle_root,), _GENESIS.serialize(),
        )  # fmt: skip
        self._entries = {genesis.block_hash: genesis}
        self._active = [genesis.block_hash]

    @property
    def tip(self) -> Entry:
        return self._entries[self._active[-1]]

    def retarget(self, nbits: int) -> None:
        """Every block carries another difficulty from now on."""
        self.nbits = nbits
        self.target = target_from_nbits(nbits)

    def watch(self, ring: Callable[[], None]) -> None:
        """Call `ring` whenever the best tip has changed."""
        self._watchers.append(ring)

    def unwatch(self, ring: Callable[[], None]) -> None:
        self._watchers.remove(ring)

    def get(self, block_hash: bytes) -> Entry | None:
        return self._entries.get(block_hash)

    def at(self, height: int) -> Entry | None:
        """The block of the active chain at a height."""
        if not 0 <= height < len(self._active):
            return None
        return self._entries[self._active[height]]

    def confirmations(self, entry: Entry) -> int:
        """1 for the tip, -1 for a block that is not in the active chain."""
        return len(self._active) - entry.height if self.at(entry.height) == entry else -1

    def is_confirmed(self, txid: bytes, tip: Entry | None = None) -> bool:
        """Whether the branch that ends in `tip` (else the active chain) holds a transaction."""
        holders = self._confirmed_by.get(txid, ())
        return any(self._is_ancestor(self._entries[one], tip or self.tip) for one in holders)

    def submit(self, data: bytes, now: float) -> str | None:
        """Add a block. None: it is the new tip; else a word as submitblock gives it.

        `inconclusive` is a valid block that does not have the most work. Raises ValueError where
        the bytes are no block.
        """
        block = parse_block(data)
        if block.header.block_hash in self._entries:
            return "duplicate"
        try:
            entry = self._check(data, block, now, proof_of_work=self._needs_work)
        except BlockRefused as refusal:
            return refusal.reason

        self._entries[entry.block_hash] = entry
        for txid in entry.txids:
            self._confirmed_by[txid].add(entry.block_hash)
        # First seen wins between branches of equal work, as in Bitcoin.
        if entry.work <= self.tip.work:
            return "inconclusive"
        self._activate(entry)
        return None

    def propose(self, data: bytes, now: float) -> str | None:
        """BIP 23: judge a block without its proof of work; None when it is valid on the tip."""
        block = parse_block(data)
        if block.header.block_hash in self._entries:
            return "duplicate"
        if block.header.prevhash != self.tip.block_hash:
            return "inconclusive-not-best-prevblk"
        try:
            self._check(data, block, now, proof_of_work=False)
        except BlockRefused as refusal:
            return refusal.reason
        return None

    def _activate(self, entry: Entry) -> None:
        branch: list[bytes] = []
        walk = entry
        while self.at(walk.height) != walk:
            branch.append(walk.block_hash)
            walk = self._entries[walk.header.prevhash]
        self._active[walk.height + 1 :] = reversed(branch)
        for ring in list(self._watchers):
            ring()

    def _is_ancestor(self, entry: Entry, tip: Entry) -> bool:
        # Walk from the tip only to where its branch leaves the active chain.
        while self.at(tip.height) != tip and tip.height >= entry.height:
            if tip == entry:
                return True
            tip = self._entries[tip.header.prevhash]
        return entry.height <= tip.height and self.at(entry.height) == entry

    def _check(self, data: bytes, block: Block, now: float, *, proof_of_work: bool) -> Entry:
        header = block.header
        if proof_of_work and hash_to_int(header.block_hash) > target_from_nbits(self.nbits):
            raise BlockRefused("high-hash")
        parent = self._entries.get(header.prevhash)
        if parent is None:
            raise BlockRefused("prev-blk-not-found")

        self._check_header(header, parent, now)
        _check_transactions_by_themselves(block)
        _check_coinbase(block.transactions[0], parent.height + 1, parent.mediantime)
        _check_witness(block)
        _check_weight(block, len(data))
        fees = self._check_known(block.transactions[1:], parent)
        allowed = subsidy(parent.height + 1, REGTEST.halving_interval) + fees
        if sum(output.sats for output in block.transactions[0].outputs) > allowed:
            raise BlockRefused("bad-cb-amount")

        return Entry(
            header.block_hash,
            header,
            parent.height + 1,
            parent.work + _work(header.nbits),
            self._mediantime(header, parent),
            tuple(transaction.txid for transaction in block.transactions),
            data,
        )

    def _check_header(self, header: Header, parent: Entry, now: float) -> None:
        if header.nbits != self.nbits:
            raise BlockRefused("bad-diffbits")
        if header.ntime <= parent.mediantime:
            raise BlockRefused("time-too-old")
        if header.ntime > now + MAX_FUTURE_BLOCK_TIME:
            raise BlockRefused("time-too-new")
        # BIP 34, 66 and 65 together; the number is signed.
        if header.version < 4 or header.version >> 31:
            raise BlockRefused(f"bad-version(0x{header.version:08x})")

    def _mediantime(self, header: Header, parent: Entry) -> int:
        times = [header.ntime]
        walk: Entry | None = parent
        while walk is not None and len(times) < MEDIAN_TIME_SPAN:
            times.append(walk.header.ntime)
            walk = self._entries.get(walk.header.prevhash)
        return sorted(times)[len(times) // 2]

    def _check_known(self, transactions: Sequence[Transaction], parent: Entry) -> int:
        """The fees of transactions that are all known, in order and new to this branch."""
        fees = 0
        earlier: set[bytes] = set()
        for transaction in transactions:
            known = self._known.get(transaction.txid)
            if known is None or known.wtxid != transaction.wtxid:
                raise BlockRefused("bad-txns-inputs-missingorspent")
            if self.is_confirmed(known.txid, parent):
                raise BlockRefused("bad-txns-inputs-missingorspent")
            for wanted in known.depends:
                if wanted not in earlier and not self.is_confirmed(wanted, parent):
                    raise BlockRefused("bad-txns-inputs-missingorspent")
            earlier.add(known.txid)
            fees += known.fee
        return fees


def _work(nbits: int) -> int:
    """Expected hashes for one block. Source: Bitcoin Core, GetBlockProof."""
    return (1 << 256) // (target_from_nbits(nbits) + 1)


def _check_transactions_by_themselves(block: Block) -> None:
    txids = [transaction.txid for transaction in block.transactions]
    if merkle_root(txids) != block.header.merkle_root:
        raise BlockRefused("bad-txnmrklroot")
    # CVE-2012-2459: a repeated tail has the same root as the honest list.
    if len(set(txids)) != len(txids):
        raise BlockRefused("bad-txns-duplicate")
    first, *others = (_is_coinbase(transaction) for transaction in block.transactions)
    if not first:
        raise BlockRefused("bad-cb-missing")
    if any(others):
        raise BlockRefused("bad-cb-multiple")


def _is_coinbase(transaction: Transaction) -> bool:
    inputs = transaction.inputs
    return len(inputs) == 1 and not any(inputs[0].txid) and inputs[0].index == 0xFFFFFFFF


def _check_coinbase(coinbase: Transaction, height: int, mediantime: int) -> None:
    script_sig = coinbase.inputs[0].script_sig
    if not MIN_SCRIPT_SIG <= len(script_sig) <= MAX_SCRIPT_SIG:
        raise BlockRefused("bad-cb-length")
    if not coinbase.outputs:
        raise BlockRefused("bad-txns-vout-empty")
    if not _is_final(coinbase, height, mediantime):
        raise BlockRefused("bad-txns-nonfinal")
    if not script_sig.startswith(push_number(height)):
        raise BlockRefused("bad-cb-height")


def _is_final(transaction: Transaction, height: int, mediantime: int) -> bool:
    """Source: Bitcoin Core, IsFinalTx, with BIP 113's median time."""
    lock_time = transaction.lock_time
    if lock_time < (height if lock_time < _LOCKTIME_THRESHOLD else mediantime):
        return True
    return all(one.sequence == _FINAL_SEQUENCE for one in transaction.inputs)


def _check_witness(block: Block) -> None:
    """BIP 141: the last output that looks like a commitment counts."""
    coinbase, *others = block.transactions
    scripts = [output.script_pubkey for output in coinbase.outputs]
    given = [one for one in scripts if len(one) >= 38 and one.startswith(_COMMITMENT_HEADER)]
    if not given:
        if any(transaction.witness for transaction in block.transactions):
            raise BlockRefused("unexpected-witness")
        return

    stack = coinbase.witness[0] if coinbase.witness else ()
    if len(stack) != 1 or len(stack[0]) != 32:
        raise BlockRefused("bad-witness-nonce-size")
    root = merkle_root([bytes(32), *(transaction.wtxid for transaction in others)])
    if given[-1][6:38] != hashing.sha256d(root + stack[0]):
        raise BlockRefused("bad-witness-merkle-match")


def _check_weight(block: Block, size: int) -> None:
    count = len(compact_size(len(block.transactions)))
    stripped = HEADER_SIZE + count + sum(len(one.stripped) for one in block.transactions)
    if 3 * stripped + size > MAX_BLOCK_WEIGHT:
        raise BlockRefused("bad-blk-weight")
