"""A share is rebuilt and judged alike by every back end, and as the chain judged it."""

import hashlib
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing import reference
from hashing.values import CheckedShare

Vectors = dict[str, list[dict[str, Any]]]
MAX_TARGET = (1 << 256) - 1
Share = tuple[bytes, int, int, int]  # extranonce, version, ntime, nonce

hashes = st.binary(min_size=32, max_size=32)
words = st.integers(0, 0xFFFFFFFF)
targets = st.integers(0, MAX_TARGET)
job_arguments = st.tuples(
    st.binary(max_size=300),  # coinb1: shorter and longer than a block
    st.binary(max_size=700),  # coinb2
    st.lists(hashes, max_size=16),
    hashes,
    words,
    targets,
)
share_arguments = st.tuples(st.binary(max_size=40), words, words, words)


def little(target: int) -> bytes:
    return target.to_bytes(32, "little")


def expand(nbits: int) -> int:
    return (nbits & 0x7FFFFF) << 8 * ((nbits >> 24) - 3)


def job_of_block(core: ModuleType, notify: list[Any]) -> Any:
    """The job of a mining.notify; prevhash comes with each word's bytes reversed."""
    _, prevhash, coinb1, coinb2, branch, _, nbits, _, _ = notify
    swapped = bytes.fromhex(prevhash)
    return core.ShareJob(
        bytes.fromhex(coinb1),
        bytes.fromhex(coinb2),
        [bytes.fromhex(node) for node in branch],
        b"".join(swapped[at : at + 4][::-1] for at in range(0, 32, 4)),
        int(nbits, 16),
        expand(int(nbits, 16)),
    )


def check_block(core: ModuleType, block: dict[str, Any], share_target: int) -> CheckedShare:
    """Check the share that found a real block."""
    notify, submit = block["notify"]["params"], block["submit"]["params"]
    rolled = int(submit[5], 16) if len(submit) > 5 else 0
    checked: CheckedShare = core.check_share(
        job_of_block(core, notify),
        bytes.fromhex(block["extranonce1"] + submit[2]),
        int(notify[5], 16) & ~int(block["mask"], 16) | rolled,
        int(submit[3], 16),
        int(submit[4], 16),
        little(share_target),
    )
    return checked


def test_real_blocks_are_rebuilt_and_meet_the_network_target(
    core: ModuleType, vectors: Vectors
) -> None:
    for block in vectors["blocks"]:
        checked = check_block(core, block, 0xFFFF << 208)
        assert checked.header.hex() == block["header"]
        assert checked.hash[::-1].hex() == block["hash"]
        assert checked.meets_share_target
        assert checked.meets_network_target


def test_a_target_is_met_by_the_hash_itself_and_missed_by_one_less(
    core: ModuleType, vectors: Vectors
) -> None:
    for block in vectors["blocks"]:
        number = int(block["hash"], 16)
        assert check_block(core, block, number).meets_share_target
        assert not check_block(core, block, number - 1).meets_share_target


def test_a_block_whose_version_bits_are_dropped_meets_nothing(
    core: ModuleType, vectors: Vectors
) -> None:
    block = vectors["blocks"][0]
    without_bits = {**block, "submit": {"params": block["submit"]["params"][:5]}}
    checked = check_block(core, without_bits, 0xFFFF << 208)
    assert not checked.meets_share_target
    assert not checked.meets_network_target


@given(job=job_arguments, share=share_arguments, target=targets)
def test_any_share_is_judged_as_by_the_reference(
    core: ModuleType, job: Any, share: Share, target: int
) -> None:
    expected = reference.check_share(reference.ShareJob(*job), *share, little(target))
    assert core.check_share(core.ShareJob(*job), *share, little(target)) == expected


@given(job=job_arguments, share=share_arguments)
def test_any_share_that_the_reference_accepts_is_accepted(
    core: ModuleType, job: Any, share: Share
) -> None:
    found = reference.check_share(reference.ShareJob(*job), *share, little(MAX_TARGET)).hash
    number = int.from_bytes(found, "little")
    own_job = core.ShareJob(*job[:5], number)
    assert core.check_share(own_job, *share, found)[:2] == (True, True)
    if number:
        harder = core.ShareJob(*job[:5], number - 1)
        assert core.check_share(harder, *share, little(number - 1))[:2] == (False, False)


@given(leaf=hashes, branch=st.lists(hashes, max_size=16))
def test_any_branch_folds_to_the_root_of_the_reference(
    core: ModuleType, leaf: bytes, branch: list[bytes]
) -> None:
    assert core.merkle_fold(leaf, branch) == reference.merkle_fold(leaf, branch)
    assert core.merkle_fold(leaf, []) == leaf


def test_a_job_outlives_the_objects_it_was_made_of(core: ModuleType) -> None:
    def make() -> Any:
        noise = hashlib.shake_128(b"job").digest(500)
        return core.ShareJob(noise[:90], noise[90:200], [noise[200:232]], noise[232:264], 1, 2)

    job, same_job = make(), make()
    _ = [bytes(size) for size in range(500)]
    easy = little(MAX_TARGET)
    assert core.check_share(job, b"en", 1, 2, 3, easy) == core.check_share(
        same_job, b"en", 1, 2, 3, easy
    )


def test_wrong_lengths_of_a_job_are_refused(core: ModuleType) -> None:
    with pytest.raises(ValueError, match="prevhash is 31 bytes, expected 32"):
        core.ShareJob(b"", b"", [], bytes(31), 0, 0)
    with pytest.raises(ValueError, match=r"branch\[1\] is 33 bytes, expected 32"):
        core.ShareJob(b"", b"", [bytes(32), bytes(33)], bytes(32), 0, 0)
    with pytest.raises(ValueError, match="leaf is 0 bytes, expected 32"):
        core.merkle_fold(b"", [])
    with pytest.raises(ValueError, match=r"branch\[0\] is 1 bytes, expected 32"):
        core.merkle_fold(bytes(32), [b"x"])


@pytest.mark.parametrize("nbits", [-1, 1 << 32])
def test_nbits_beyond_32_bits_is_refused(core: ModuleType, nbits: int) -> None:
    with pytest.raises(ValueError, match=f"nbits is {nbits}, expected 0 to 4294967295"):
        core.ShareJob(b"", b"", [], bytes(32), nbits, 0)


@pytest.mark.parametrize("target", [-1, 1 << 256])
def test_a_network_target_beyond_256_bits_is_refused(core: ModuleType, target: int) -> None:
    with pytest.raises(ValueError, match="network_target is -?0x1"):
        core.ShareJob(b"", b"", [], bytes(32), 0, target)


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("value", [-1, 1 << 32])
def test_a_number_beyond_32_bits_is_refused_by_name(
    core: ModuleType, place: int, value: int
) -> None:
    job = core.ShareJob(b"", b"", [], bytes(32), 0, 0)
    numbers = [0, 0, 0]
    numbers[place] = value
    name = ("version", "ntime", "nonce")[place]
    with pytest.raises(ValueError, match=f"{name} is {value}, expected 0 to 4294967295"):
        core.check_share(job, b"", *numbers, bytes(32))


def test_a_share_target_of_the_wrong_length_is_refused(core: ModuleType) -> None:
    job = core.ShareJob(b"", b"", [], bytes(32), 0, 0)
    with pytest.raises(ValueError, match="share_target is 31 bytes, expected 32"):
        core.check_share(job, b"", 0, 0, 0, bytes(31))
