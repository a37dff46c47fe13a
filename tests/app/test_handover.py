"""The frames and their order; sockets are elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.app.handover import (
    MAX_DESCRIPTORS,
    VERSION,
    Frame,
    FrameReader,
    Kind,
    Parcel,
    Refused,
    gift,
    hello,
    objection,
    refusal,
)
from stratum.errors import ProtocolError

LISTENERS = Frame(Kind.LISTENERS, {"names": ["rigs", "http"]}, [3, 4])


def read_all(reader: FrameReader) -> list[Frame]:
    frames = []
    while (frame := reader.next_frame()) is not None:
        frames.append(frame)
    return frames


# -- frames --------------------------------------------------------------------------------

frames = st.builds(
    Frame,
    st.sampled_from(Kind),
    st.dictionaries(st.text(max_size=5), st.integers() | st.binary(max_size=200), max_size=3),
    st.lists(st.integers(0, 2**31 - 1), max_size=5),
)


@given(st.lists(frames, max_size=6), st.data())
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    sent: list[Frame], data: st.DataObject
) -> None:
    """As the kernel does it: descriptors come with the first byte of their frame, or the first
    piece of it, and two frames that both have some never come in one piece."""
    reader, got = FrameReader(), []
    for frame in sent:
        encoded = frame.encode()
        cuts = sorted(data.draw(st.sets(st.integers(1, len(encoded) - 1), max_size=3)))
        edges = [0, *cuts, len(encoded)]
        for start, end in zip(edges, edges[1:], strict=False):
            reader.feed(encoded[start:end], frame.descriptors if start == 0 else ())
            got += read_all(reader)
    assert got == sent
    assert not reader.unclaimed


@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_frames_a_wait_or_a_protocol_error(noise: bytes) -> None:
    reader = FrameReader()
    reader.feed(noise)
    try:
        read_all(reader)
    except ProtocolError:
        pass


@pytest.mark.parametrize(
    "head", [b"\xff\xff\xff\xff\x01\x00\x00", b"\0\0\0\0\x63\0\0", b"\0\0\0\0\x01\xff\xff"]
)
def test_head_that_no_process_of_ours_writes_is_refused_at_once(head: bytes) -> None:
    reader = FrameReader()
    reader.feed(head)
    with pytest.raises(ProtocolError, match="no frame"):
        reader.next_frame()


@pytest.mark.parametrize("body", [b"\x80", b"\xa1", b"\xff", b"\x01"])
def test_body_that_is_no_map_is_refused(body: bytes) -> None:
    reader = FrameReader()
    reader.feed(bytes([len(body), 0, 0, 0, Kind.HELLO, 0, 0]) + body)
    with pytest.raises(ProtocolError, match="body"):
        reader.next_frame()


def test_descriptors_that_did_not_come_are_missed() -> None:
    reader = FrameReader()
    reader.feed(LISTENERS.encode(), [3])
    with pytest.raises(ProtocolError, match="2 descriptors told, 1 came"):
        reader.next_frame()
    assert list(reader.unclaimed) == [3], "whoever hangs up can close it"


# -- hello ---------------------------------------------------------------------------------


def test_one_of_our_version_with_room_for_all_may_have_the_rigs() -> None:
    assert objection(hello(600), 600) is None


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (hello(599), "room for 599 connections and we have 600"),
        (Frame(Kind.HELLO, {"version": VERSION + 1, "room": 600}), f"version {VERSION + 1}"),
        (Frame(Kind.HELLO, {"version": VERSION}), "room for None"),
        (Frame(Kind.HELLO), "version None"),
        (Frame(Kind.READY), "HELLO was expected, not READY"),
    ],
)
def test_one_that_can_not_take_all_is_told_why_before_anything_is_stopped(
    frame: Frame, why: str
) -> None:
    reason = objection(frame, 600)
    assert reason is not None and why in reason


# -- what is given -------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 252, 253, 254, 600])
def test_gift_comes_out_of_the_parcel_whole(count: int) -> None:
    sessions = [(number + 100, b"state %d" % number) for number in range(count)]
    sent = list(gift([("rigs", 3), ("http", 4)], [b"a", b""], iter(sessions)))
    assert all(len(frame.descriptors) <= MAX_DESCRIPTORS for frame in sent)

    parcel = Parcel()
    for frame in sent:
        assert not parcel.is_whole
        parcel.put(frame)
    assert parcel.is_whole
    assert parcel.listeners == {"rigs": 3, "http": 4}
    assert parcel.states == [b"a", b""]
    assert parcel.sessions == sessions
    assert sorted(parcel.descriptors) == sorted([3, 4, *(one for one, _ in sessions)])


def test_refusal_is_told_with_its_reason() -> None:
    with pytest.raises(Refused, match="no room"):
        Parcel().put(refusal("no room"))


def test_parcel_that_broke_off_holds_what_had_come() -> None:
    parcel = Parcel()
    parcel.put(LISTENERS)
    parcel.put(Frame(Kind.SESSIONS, {"states": [b"x"]}, [9]))
    assert not parcel.is_whole
    assert parcel.descriptors == [3, 4, 9]


@pytest.mark.parametrize(
    "told",
    [
        [Frame(Kind.SESSIONS, {"states": []})],
        [Frame(Kind.STATE, {"state": b"x"})],
        [LISTENERS, Frame(Kind.STATE, {"state": "x"})],
        [LISTENERS, Frame(Kind.STATE)],
        [Frame(Kind.DONE, {"sessions": 0})],
        [LISTENERS, LISTENERS],
        [LISTENERS, Frame(Kind.DONE, {"sessions": 1})],
        [LISTENERS, Frame(Kind.DONE)],
        [LISTENERS, Frame(Kind.READY)],
        [LISTENERS, Frame(Kind.SESSIONS, {"states": [b"x"]}, [9, 10])],
        [LISTENERS, Frame(Kind.SESSIONS, {"states": ["text"]}, [9])],
        [LISTENERS, Frame(Kind.SESSIONS, {"states": b"x"}, [9])],
        [Frame(Kind.LISTENERS, {"names": ["rigs", "rigs"]}, [3, 4])],
        [Frame(Kind.LISTENERS, {"names": ["rigs", 7]}, [3, 4])],
        [Frame(Kind.LISTENERS, {}, [3])],
        [Frame(Kind.GONE)],
        [hello(7)],
    ],
)
def test_anything_out_of_order_or_out_of_count_is_refused(told: Sequence[Frame]) -> None:
    parcel = Parcel()
    for frame in told[:-1]:
        parcel.put(frame)
    with pytest.raises(ProtocolError):
        parcel.put(told[-1])
