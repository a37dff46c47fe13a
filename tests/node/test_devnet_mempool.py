from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stratum.bitcoin.transaction import Reader, read_transaction
from stratum.node.devnet_chain import DevChain
from stratum.node.devnet_mempool import MOST_WAITING, DevMempool


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_every_transaction_reads_back_and_comes_after_its_parents(seed: int, count: int) -> None:
    mempool = DevMempool(seed=seed)
    mempool.add(count)
    seen: set[bytes] = set()
    for transaction in mempool.waiting(DevChain(mempool.known), 4_000_000):
        reader = Reader(transaction.serialized)
        parsed = read_transaction(reader)
        assert reader.position == len(transaction.serialized)
        assert (parsed.txid, parsed.wtxid) == (transaction.txid, transaction.wtxid)
        assert bool(parsed.witness) == (parsed.txid != parsed.wtxid)
        assert set(transaction.depends) <= seen
        spent = {one.txid for one in parsed.inputs}
        assert set(transaction.depends) <= spent
        assert transaction.fee >= transaction.weight // 4
        seen.add(transaction.txid)
    assert len(seen) == count


def test_both_kinds_and_children_occur() -> None:
    mempool = DevMempool()
    mempool.add(100)
    known = mempool.known.values()
    assert any(one.txid != one.wtxid for one in known)
    assert any(one.txid == one.wtxid for one in known)
    assert any(one.depends for one in known)


def test_transactions_arrive_at_the_rate_however_often_one_looks() -> None:
    mempool = DevMempool(rate_per_s=2)
    for quarter in range(41):
        mempool.grow(1000 + quarter / 4)
    assert len(mempool.known) == 20


def test_same_seed_gives_the_same_transactions() -> None:
    first, second = DevMempool(seed=5), DevMempool(seed=5)
    first.add(10)
    second.add(10)
    assert list(first.known) == list(second.known)


def test_weight_limit_is_kept() -> None:
    mempool = DevMempool()
    mempool.add(50)
    chosen = mempool.waiting(DevChain(mempool.known), 10_000)
    assert 0 < sum(one.weight for one in chosen) <= 10_000


def test_full_mempool_takes_no_more() -> None:
    mempool = DevMempool()
    mempool.add(MOST_WAITING + 10)
    assert len(mempool.known) == MOST_WAITING


def test_how_many_wait_can_be_chosen() -> None:
    mempool = DevMempool(most_waiting=30)
    mempool.add(50)
    assert len(mempool.known) == 30
