"""The devnet's rules, each broken once, and properties of its tree of blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hashing
from stratum.bitcoin.block import assemble_block
from stratum.bitcoin.coinbase import Coinbase, build_coinbase
from stratum.bitcoin.header import Header
from stratum.bitcoin.merkle import merkle_root
from stratum.bitcoin.networks import REGTEST, subsidy
from stratum.bitcoin.target import display, target_from_nbits
from stratum.bitcoin.template import witness_commitment
from stratum.bitcoin.transaction import Output
from stratum.node.devnet_chain import EASIEST_NBITS, DevChain, Entry, KnownTransaction
from stratum.node.devnet_mempool import DevMempool

NOW = 1_800_000_000
OP_TRUE = b"\x51"

#: One in 256 hashes: a wrong nonce is then wrong in nearly every case.
HARDER_NBITS = 0x2000FFFF


@dataclass(frozen=True)
class Draft:
    """A block to be: right as it stands, and wrong in one place after `replace`."""

    chain: DevChain
    parent: Entry
    transactions: tuple[KnownTransaction, ...] = ()
    height: int | None = None
    ntime: int | None = None
    nbits: int | None = None
    version: int = 0x20000000
    sats: int | None = None
    commitment: bytes | None = None
    root: bytes | None = None
    tag: bytes = b"/draft/"
    edit: Callable[[Coinbase], bytes] = lambda coinbase: coinbase.serialize(bytes(8))
    solved: bool = True

    def block(self) -> bytes:
        height = self.parent.height + 1 if self.height is None else self.height
        allowed = subsidy(height, REGTEST.halving_interval) + sum(
            one.fee for one in self.transactions
        )
        commitment = self.commitment
        if commitment is None:
            commitment = witness_commitment([one.wtxid for one in self.transactions])
        coinbase = build_coinbase(
            height,
            self.tag,
            8,
            [Output(allowed if self.sats is None else self.sats, OP_TRUE)],
            commitment,
        )
        txids = [hashing.sha256d(coinbase.stripped(bytes(8)))]
        txids += [one.txid for one in self.transactions]
        header = Header(
            self.version,
            self.parent.block_hash,
            merkle_root(txids) if self.root is None else self.root,
            max(NOW, self.parent.mediantime + 1) if self.ntime is None else self.ntime,
            self.chain.nbits if self.nbits is None else self.nbits,
            0,
        ).serialize()
        serialized = [one.serialized for one in self.transactions]
        return assemble_block(self._solve(header), self.edit(coinbase), serialized)

    def _solve(self, header: bytes) -> bytes:
        """The first nonce that meets the chain's target, or that does not."""
        for nonce in range(1 << 20):
            candidate = header[:76] + nonce.to_bytes(4, "little")
            number = int.from_bytes(hashing.header_hash(candidate), "little")
            if (number <= self.chain.target) == self.solved:
                return candidate
        raise AssertionError("no nonce found")


@pytest.fixture
def mempool() -> DevMempool:
    mempool = DevMempool()
    mempool.add(20)
    return mempool


@pytest.fixture
def chain(mempool: DevMempool) -> DevChain:
    return DevChain(mempool.known, HARDER_NBITS)


@pytest.fixture
def draft(chain: DevChain, mempool: DevMempool) -> Draft:
    """A valid block on genesis with every transaction of the mempool."""
    return Draft(chain, chain.tip, tuple(mempool.waiting(chain, 4_000_000)))


def test_genesis_is_regtests() -> None:
    assert display(DevChain({}).tip.block_hash) == REGTEST.genesis_hex


def test_a_chain_for_load_tests_takes_unsolved_blocks_and_no_other_wrong_ones() -> None:
    chain = DevChain({}, HARDER_NBITS, needs_work=False)
    unsolved = Draft(chain, chain.tip, solved=False)
    assert chain.submit(replace(unsolved, nbits=EASIEST_NBITS).block(), NOW) == "bad-diffbits"
    assert chain.submit(unsolved.block(), NOW) is None
    assert chain.tip.height == 1


def test_after_a_retarget_blocks_carry_the_new_difficulty() -> None:
    chain = DevChain({}, HARDER_NBITS)
    chain.retarget(EASIEST_NBITS)
    easy = Draft(chain, chain.tip)
    assert chain.submit(replace(easy, nbits=HARDER_NBITS).block(), NOW) == "bad-diffbits"
    assert chain.submit(easy.block(), NOW) is None


def test_good_block_becomes_the_tip(draft: Draft) -> None:
    assert draft.chain.submit(draft.block(), NOW) is None
    assert draft.chain.tip.height == 1
    assert len(draft.chain.tip.txids) == 21


def test_same_block_again_is_a_duplicate(draft: Draft) -> None:
    draft.chain.submit(draft.block(), NOW)
    assert draft.chain.submit(draft.block(), NOW) == "duplicate"


def _without_witness(coinbase: Coinbase) -> bytes:
    return coinbase.stripped(bytes(8))


def _with_long_reserved_value(coinbase: Coinbase) -> bytes:
    return coinbase.serialize(bytes(8)).replace(b"\x01\x20" + bytes(32), b"\x01\x21" + bytes(33))


def _with_other_reserved_value(coinbase: Coinbase) -> bytes:
    return coinbase.serialize(bytes(8)).replace(b"\x01\x20" + bytes(32), b"\x01\x20" + b"\1" * 32)


@pytest.mark.parametrize(
    ("reason", "wrong"),
    [
        ("high-hash", {"solved": False}),
        ("bad-diffbits", {"nbits": EASIEST_NBITS}),
        ("time-too-old", {"ntime": 1296688602}),
        ("time-too-new", {"ntime": NOW + 7201}),
        ("bad-version(0x00000003)", {"version": 3}),
        ("bad-version(0xa0000000)", {"version": 0xA0000000}),
        ("bad-txnmrklroot", {"root": bytes(32)}),
        ("bad-txns-nonfinal", {"height": 7}),
        ("bad-cb-amount", {"sats": 51 * 10**8}),
        ("unexpected-witness", {"commitment": b"", "edit": _without_witness}),
        ("bad-witness-nonce-size", {"edit": _without_witness}),
        ("bad-witness-nonce-size", {"edit": _with_long_reserved_value}),
        ("bad-witness-merkle-match", {"edit": _with_other_reserved_value}),
        ("bad-witness-merkle-match", {"commitment": witness_commitment([])}),
    ],
)
def test_broken_rule_is_refused_in_cores_words(
    draft: Draft, reason: str, wrong: dict[str, object]
) -> None:
    block = replace(draft, **wrong).block()  # type: ignore[arg-type]  # one key each, as above
    assert draft.chain.submit(block, NOW) == reason
    assert draft.chain.tip.height == 0


def test_wrong_height_in_the_coinbase_is_refused(draft: Draft) -> None:
    chain = draft.chain
    assert chain.submit(draft.block(), NOW) is None
    # Too low a height: its lock time is final, so that only BIP 34 is broken.
    low = replace(draft, parent=chain.tip, transactions=(), height=1)
    assert chain.submit(low.block(), NOW) == "bad-cb-height"


def test_block_on_an_unknown_parent_waits_for_it(draft: Draft) -> None:
    stranger = replace(draft.parent, block_hash=b"\7" * 32)
    assert draft.chain.submit(replace(draft, parent=stranger).block(), NOW) == "prev-blk-not-found"


def test_unknown_transaction_is_refused(draft: Draft) -> None:
    other = DevMempool(seed=2)
    other.add(1)
    foreign = tuple(other.known.values())
    block = replace(draft, transactions=foreign).block()
    assert draft.chain.submit(block, NOW) == "bad-txns-inputs-missingorspent"


def test_child_before_its_parent_is_refused(draft: Draft) -> None:
    child = next(one for one in draft.transactions if one.depends)
    parent = next(one for one in draft.transactions if one.txid == child.depends[0])
    chain = draft.chain
    wrong = replace(draft, transactions=(child, parent)).block()
    assert chain.submit(wrong, NOW) == "bad-txns-inputs-missingorspent"
    assert chain.submit(replace(draft, transactions=(parent, child)).block(), NOW) is None


def test_repeated_transactions_with_an_honest_looking_root_are_refused(draft: Draft) -> None:
    first, second = draft.transactions[:2]
    twice = replace(draft, transactions=(first, second, second)).block()
    # CVE-2012-2459: three leaves and four with the last one repeated share a root.
    assert draft.chain.submit(twice, NOW) == "bad-txns-duplicate"


def test_transaction_is_mined_once_per_branch(draft: Draft) -> None:
    chain = draft.chain
    assert chain.submit(draft.block(), NOW) is None
    again = replace(draft, parent=chain.tip)
    assert chain.submit(again.block(), NOW) == "bad-txns-inputs-missingorspent"


def test_proposal_needs_no_work_but_the_tip_as_its_parent(draft: Draft) -> None:
    chain = draft.chain
    genesis = chain.tip
    assert chain.propose(replace(draft, solved=False).block(), NOW) is None
    assert chain.tip == genesis
    assert chain.propose(replace(draft, sats=51 * 10**8).block(), NOW) == "bad-cb-amount"
    assert chain.submit(draft.block(), NOW) is None
    late = replace(draft, tag=b"/late/", solved=False).block()
    assert chain.propose(late, NOW) == "inconclusive-not-best-prevblk"


def test_longer_branch_takes_over_and_gives_the_transactions_back(
    draft: Draft, mempool: DevMempool
) -> None:
    chain, genesis = draft.chain, draft.chain.tip
    assert chain.submit(draft.block(), NOW) is None
    ours = chain.tip
    assert mempool.waiting(chain, 4_000_000) == []

    side = Draft(chain, genesis, tag=b"/side/").block()
    assert chain.submit(side, NOW) == "inconclusive"
    assert chain.tip == ours
    side_entry = chain.get(hashing.header_hash(side[:80]))
    assert side_entry is not None
    assert chain.confirmations(side_entry) == -1

    assert chain.submit(Draft(chain, side_entry).block(), NOW) is None
    assert chain.tip.height == 2
    assert chain.confirmations(ours) == -1
    assert len(mempool.waiting(chain, 4_000_000)) == 20


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=30))
def test_tip_always_has_the_most_work_and_its_chain_reaches_genesis(parents: list[int]) -> None:
    chain = DevChain({})
    entries = [chain.tip]
    rings = 0

    def ring() -> None:
        nonlocal rings
        rings += 1

    chain.watch(ring)
    changes = 0
    for number, choice in enumerate(parents):
        before = chain.tip
        draft = Draft(chain, entries[choice % len(entries)], tag=str(number).encode())
        said = chain.submit(draft.block(), NOW)
        assert said in (None, "inconclusive")
        entry = chain.get(hashing.header_hash(draft.block()[:80]))
        assert entry is not None
        entries.append(entry)
        changes += chain.tip != before

        assert chain.tip.work == max(one.work for one in entries)
        assert (said is None) == (chain.tip == entry)
        walk = chain.tip
        while walk.height:
            assert chain.at(walk.height) == walk
            below = chain.get(walk.header.prevhash)
            assert below is not None
            assert below.height == walk.height - 1
            walk = below
        assert [chain.confirmations(one) > 0 for one in entries] == [
            chain.at(one.height) == one for one in entries
        ]
    assert rings == changes


def test_targets_of_the_easiest_chain_are_regtests() -> None:
    assert DevChain({}).target == target_from_nbits(EASIEST_NBITS)
