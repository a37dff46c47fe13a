"""The chain: any changed byte is found and its record named; a torn end is told from it."""

from __future__ import annotations

import contextlib
import hashlib
import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.journal.chain import (
    FRONT_SIZE,
    MAGIC,
    Fault,
    JournalDamaged,
    Link,
    framed,
)
from stratum.power.journal.reading import records, verify
from stratum.power.journal.records import (
    HASH_SIZE,
    HEADER_SIZE,
    NO_HASH,
    PAYLOADS,
    End,
    Header,
    Record,
    RecordKind,
    Unreadable,
    Why,
    checkpoint_text,
    encode_payload,
    utc_text,
)
from stratum.power.journal.writer import Pending, Writer
from tests.power.journals import NOON_MS, Site, fleet_of, recorded


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("journal"), ticks=2, rigs=2)


def fault_of(path: Path) -> Fault:
    with pytest.raises(JournalDamaged) as caught:
        list(records([path]))
    assert str(path) in str(caught.value)
    return caught.value.fault


def read(path: Path) -> list[Record]:
    return list(records([path]))


def test_records_are_numbered_and_linked_and_read_as_they_were_written(journal: Path) -> None:
    found = read(journal)
    assert [record.kind for record in found] == ["start", "snapshot", "tick", "tick", "end"]
    assert [record.header.seq for record in found] == [0, 1, 2, 3, 4]
    assert found[0].header.prev_hash == NO_HASH
    for one, next_one in pairwise(found):
        assert next_one.header.prev_hash == one.hash == hashlib.sha256(one.body).digest()


def test_every_changed_byte_is_found_and_its_record_named(journal: Path, tmp_path: Path) -> None:
    """Over every byte of the file, each changed in one bit and in all."""
    good = journal.read_bytes()
    found = read(journal)
    path = tmp_path / journal.name
    for at in range(len(good)):
        for mask in (1 << at % 8, 0xFF):
            path.write_bytes(good[:at] + bytes([good[at] ^ mask]) + good[at + 1 :])
            fault = fault_of(path)
            if at < len(MAGIC):
                assert (fault.offset, fault.seq, fault.kind) == (0, 0, "start")
                continue
            record = max((r for r in found if r.offset <= at), key=lambda r: r.offset)
            assert fault.offset == record.offset
            assert not fault.is_torn
            into = at - record.offset - FRONT_SIZE
            if record.header.seq or not 0 <= into < 8:  # of the first, nobody else knows it
                assert fault.seq == record.header.seq
            if not 0 <= into < HEADER_SIZE:  # its own word on kind and time is not hurt
                assert (fault.kind, fault.t_utc_ms) == (record.kind, record.header.t_utc_ms)


def test_a_torn_end_is_told_from_a_changed_byte(journal: Path, tmp_path: Path) -> None:
    good = journal.read_bytes()
    last = read(journal)[-1]
    path = tmp_path / journal.name
    for size in range(last.offset + 1, len(good)):
        path.write_bytes(good[:size])
        fault = fault_of(path)
        assert fault.is_torn
        assert (fault.offset, fault.seq) == (last.offset, last.header.seq)
        assert len(list(records([path], torn_is_end=True))) == last.header.seq
    path.write_bytes(good[: last.offset])
    assert len(read(path)) == last.header.seq


def test_a_record_taken_out_is_missed(journal: Path, tmp_path: Path) -> None:
    good = journal.read_bytes()
    _, _, one, two, _ = read(journal)
    path = tmp_path / journal.name
    path.write_bytes(good[: one.offset] + good[two.offset :])
    assert fault_of(path).text == "it says it is number 3"


def forged(record: Record, body: bytes) -> bytes:
    """A frame with all checksums repaired."""
    digest = hashlib.sha256(body).digest()
    front = (len(body) + HASH_SIZE).to_bytes(4, "little")
    front += zlib.crc32(body + digest).to_bytes(4, "little")
    return front + zlib.crc32(front).to_bytes(4, "little") + body + digest


def test_repaired_checksums_are_found_by_the_next_record(journal: Path, tmp_path: Path) -> None:
    good = journal.read_bytes()
    _, _, one, two, _ = read(journal)
    body = one.body[:-1] + bytes([one.body[-1] ^ 1])
    path = tmp_path / journal.name
    path.write_bytes(good[: one.offset] + forged(one, body) + good[two.offset :])
    fault = fault_of(path)
    assert fault.seq == 3
    assert fault.text == "it follows another record than the one before it"


def test_a_fault_is_one_sentence_with_everything_in_it(journal: Path, tmp_path: Path) -> None:
    tick = read(journal)[2]
    good = bytearray(journal.read_bytes())
    good[tick.offset + 200] ^= 0x20
    path = tmp_path / journal.name
    path.write_bytes(good)
    assert str(fault_of(path)) == (
        f"{path}: record 2 (tick, 2026-11-20T12:00:01.000Z) at byte {tick.offset}:"
        " a byte is changed: the checksum is of other bytes"
    )


# -- signatures --------------------------------------------------------------------------------


def signed(directory: Path, key: Ed25519PrivateKey, hours: int) -> Path:
    writer = Writer(directory, key=key)
    for hour in range(hours):
        kind, payload = RecordKind.END, encode_payload(End(Why.PROCESS))
        moment = 600_000 * hour * 6
        writer.put([Pending(kind, NOON_MS + moment, moment, bytes(16), payload, hour == 0)])
    writer.close()
    return next(directory.glob("*.journal"))


def test_checkpoints_sign_the_chain_up_to_the_record_before_them(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    path = signed(tmp_path, key, 2)
    found = read(path)
    assert [record.kind for record in found] == ["end", "checkpoint"] * 2
    checkpoint = found[3].payload()
    key.public_key().verify(checkpoint.signature, checkpoint_text(2, found[2].hash))
    verified = verify([path], key.public_key().public_bytes_raw())
    assert verified.signed == {key.public_key().public_bytes_raw(): 2}
    assert verified.head == found[3].hash


def test_another_key_is_a_fault_where_one_is_expected(tmp_path: Path) -> None:
    path = signed(tmp_path, Ed25519PrivateKey.from_private_bytes(bytes(range(32))), 1)
    with pytest.raises(JournalDamaged, match=r"record 1 \(checkpoint.*signed by"):
        verify([path], bytes(32))


def test_a_signature_of_another_chain_is_a_fault(tmp_path: Path) -> None:
    """Every checksum and hash of the forgery is right."""
    path = signed(tmp_path, Ed25519PrivateKey.from_private_bytes(bytes(range(32))), 1)
    first, checkpoint = read(path)
    body = first.header.pack()[:8] + (NOON_MS + 1).to_bytes(8, "little") + first.body[16:]
    digest = hashlib.sha256(body).digest()
    following = replace(checkpoint.header, prev_hash=digest).pack() + checkpoint.body[HEADER_SIZE:]
    path.write_bytes(MAGIC + forged(first, body) + forged(checkpoint, following))
    assert len(read(path)) == 2
    with pytest.raises(JournalDamaged, match=r"record 1 \(checkpoint.*signature .* is wrong"):
        verify([path])


# -- records -----------------------------------------------------------------------------------


@given(
    header=st.builds(
        Header,
        seq=st.integers(0, 2**64 - 1),
        t_utc_ms=st.integers(-(2**63), 2**63 - 1),
        t_mono_ms=st.integers(-(2**63), 2**63 - 1),
        boot_id=st.binary(min_size=16, max_size=16),
        kind=st.sampled_from(RecordKind),
        prev_hash=st.binary(min_size=32, max_size=32),
    )
)
def test_a_header_comes_back(header: Header) -> None:
    assert len(header.pack()) == HEADER_SIZE
    assert Header.unpack(header.pack() + b"payload") == header


def test_a_whole_record_that_says_nonsense_is_unreadable(tmp_path: Path) -> None:
    header = Header(0, NOON_MS, 0, bytes(16), RecordKind.GAP, NO_HASH)
    frame, _ = framed(header, b"\xff")
    path = tmp_path / "x.journal"
    path.write_bytes(MAGIC + frame)
    with pytest.raises(Unreadable, match=r"record 0 \(gap\)"):
        verify([path])


@given(data=st.binary(max_size=400))
def test_whatever_a_file_holds_nothing_else_is_raised(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.journal"
    for start in (b"", MAGIC):
        path.write_bytes(start + data)
        with contextlib.suppress(JournalDamaged):
            assert list(records([path])) == []
            assert start + data == MAGIC


@given(data=st.binary(max_size=200), kind=st.sampled_from(RecordKind))
def test_whatever_a_payload_holds_is_read_or_unreadable(data: bytes, kind: RecordKind) -> None:
    header = Header(0, NOON_MS, 0, bytes(16), kind, NO_HASH)
    record = Record(header, NO_HASH, Path("x"), 8, header.pack() + data)
    with contextlib.suppress(Unreadable):
        assert type(record.payload()) is PAYLOADS[kind]


def test_a_time_is_shown_in_utc_even_where_it_is_none() -> None:
    assert utc_text(NOON_MS) == "2026-11-20T12:00:00.000Z"
    assert utc_text(2**62) == f"{2**62} ms"


def test_days_chain(tmp_path: Path) -> None:
    """A file continues the one before; without that one it can be read by itself."""
    site = Site(fleet_of(2), wall_ms=NOON_MS + 12 * 3_600_000 - 2_500)
    paths = sorted(recorded_days(tmp_path, site, 5))
    assert [path.name for path in paths] == ["2026-11-20.journal", "2026-11-21.journal"]
    yesterday, today = (read(path) for path in paths)
    assert [r.kind for r in yesterday] == ["start", "snapshot", "tick", "tick", "end"]
    assert [r.kind for r in today] == ["start", "snapshot", "tick", "tick", "tick", "end"]
    assert today[0].header.prev_hash == yesterday[-1].hash
    assert today[1].payload().why is Why.MIDNIGHT
    assert len(list(records(paths))) == 11
    with pytest.raises(JournalDamaged, match="it says it is number 0"):
        list(records(paths[::-1]))
    link = Link(yesterday[-1].header.seq + 1, NO_HASH)
    with pytest.raises(JournalDamaged, match="follows another record"):
        list(records(paths[1:], link=link))


def recorded_days(directory: Path, site: Site, ticks: int) -> list[Path]:
    with pytest.raises(ValueError, match="too many values"):
        recorded(directory, ticks, site=site)
    return list(directory.glob("*.journal"))
