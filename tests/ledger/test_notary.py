from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from hashing import MerkleEdge, ShareSums, fold
from stratum.errors import ConfigError
from stratum.ledger.checkpoint import Checkpoint, Verifier, open_note
from stratum.ledger.errors import LogDamaged
from stratum.ledger.notary import Notary
from stratum.ledger.segment import leaf_in
from stratum.ledger.tail import LogReader
from tests.ledger.conftest import Opener, fill


def sealed(directory: Path, notary: Notary) -> list[Checkpoint]:
    """What the books do: fold the log, and seal where a segment ends."""
    edge, sums, checkpoints = MerkleEdge(), ShareSums(), []
    with LogReader(directory) as reader:
        while (run := reader.read()).slots:
            slots = memoryview(run.slots)
            while len(slots):
                consumed = fold(slots, edge, sums)
                slots = slots[consumed * 96 :]
                if len(slots):
                    edge.append(leaf_in(slots, 0))
                    slots = slots[96:]
            if run.seals is not None:
                checkpoints.append(notary.seal(run.seals, edge))
    return checkpoints


def by_definition(directory: Path, size: int) -> bytes:
    leaves = []
    with LogReader(directory) as reader:
        while (run := reader.read()).slots:
            leaves += [leaf_in(run.slots, place) for place in range(run.count)]

    def root(part: list[bytes]) -> bytes:
        if len(part) == 1:
            return hashlib.sha256(b"\0" + part[0]).digest()
        k = 1 << (len(part) - 1).bit_length() - 1
        return hashlib.sha256(b"\1" + root(part[:k]) + root(part[k:])).digest()

    return root(leaves[:size])


def test_each_full_segment_gets_a_checkpoint_that_a_stranger_can_check(
    opened: Opener, tmp_path: Path
) -> None:
    log = opened(room=10)
    fill(log, 25)
    notary = Notary(tmp_path, "pool.example/log")
    assert [one.size for one in sealed(tmp_path, notary)] == [10, 20]

    name, key_id, key = notary.verifier.split("+", 2)
    assert name == "pool.example/log" and len(key_id) == 8 and key
    verifier = Verifier(name, notary._signer.verifier.public_key)
    for first_index in (0, 10):
        note = (tmp_path / "log" / f"{first_index:020}.checkpoint").read_text()
        checkpoint = Checkpoint.parse(open_note(note, [verifier]))
        size = first_index + 10
        assert checkpoint == Checkpoint(name, size, by_definition(tmp_path, size))
    assert not (tmp_path / "log" / f"{20:020}.checkpoint").exists()


def test_books_built_again_check_that_the_log_is_the_same(opened: Opener, tmp_path: Path) -> None:
    log = opened(room=10)
    fill(log, 25)
    notary = Notary(tmp_path)
    first = sealed(tmp_path, notary)
    paths = sorted((tmp_path / "log").glob("*.checkpoint"))
    before = [path.read_bytes() for path in paths]
    assert sealed(tmp_path, Notary(tmp_path)) == first
    assert [path.read_bytes() for path in paths] == before

    edge = MerkleEdge()
    for _ in range(10):
        edge.append(b"another history")
    with pytest.raises(LogDamaged, match="10 records with root .* were signed for segment 0"):
        notary.seal(0, edge)


def test_found_block_gets_a_checkpoint_under_its_hash_and_keeps_it(
    opened: Opener, tmp_path: Path
) -> None:
    fill(opened(room=10), 3)
    notary = Notary(tmp_path)
    edge = MerkleEdge()
    edge.append(b"block record")
    block_hash = bytes(31) + b"\x01"
    kept = notary.seal_block(block_hash, edge)
    path = tmp_path / "log" / f"01{'00' * 31}.checkpoint"
    assert Checkpoint.parse(open_note(path.read_text(), [notary._signer.verifier])) == kept
    assert notary.seal_block(block_hash, edge) == kept
    edge.append(b"another")
    with pytest.raises(LogDamaged, match="were signed for block 0100"):
        notary.seal_block(block_hash, edge)


def test_checkpoint_that_is_not_ours_is_damage(opened: Opener, tmp_path: Path) -> None:
    fill(opened(room=10), 11)
    sealed(tmp_path, Notary(tmp_path, "pool.example/log"))
    with pytest.raises(LogDamaged, match="checkpoint of segment 0: no known key"):
        sealed(tmp_path, Notary(tmp_path, "pool.example/other"))


def test_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    notary = Notary(tmp_path)
    path = tmp_path / "log.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Notary(tmp_path).verifier == notary.verifier
    digest = hashlib.sha256(notary._signer.verifier.public_key).hexdigest()
    assert notary.origin == f"baseload/{digest[:16]}"
    assert [one.name for one in tmp_path.iterdir()] == ["log.key"]


def test_key_that_was_damaged_is_not_replaced(tmp_path: Path) -> None:
    Notary(tmp_path)
    (tmp_path / "log.key").write_bytes(b"half")
    with pytest.raises(ConfigError, match="log.key has 4 bytes, a key has 32"):
        Notary(tmp_path)
    assert (tmp_path / "log.key").read_bytes() == b"half"


def test_origin_that_no_note_can_carry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="key name is 'a b'"):
        Notary(tmp_path, "a b")


def test_a_note_of_the_moment_is_signed_and_not_kept(opened: Opener, tmp_path: Path) -> None:
    fill(opened(room=10), 3)
    notary = Notary(tmp_path)
    edge = MerkleEdge()
    edge.append(b"leaf")
    text = open_note(notary.note(edge), [notary._signer.verifier])
    assert Checkpoint.parse(text) == Checkpoint(notary.origin, 1, edge.root())
    assert list((tmp_path / "log").glob("*.checkpoint")) == []
