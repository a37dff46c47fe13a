"""How the rigs of one process become another's without noticing: what the two say (DESIGN §8.5).

    new ──HELLO──▶ old            the version it speaks, and how many rigs it has room for
        ◀─REFUSED─                or why not; the old one serves on
                   old stops reading, drains, syncs, gives up the log
        ◀─LISTENERS─              with their descriptors
        ◀─STATE─ …                what belongs to no single rig
        ◀─SESSIONS─ …             states and descriptors, 253 at most in one message
        ◀─DONE─                   how many there were
    new loads the log and every state, and reads nothing yet
        ──READY──▶
        ◀─GONE─                   the old one has let go for good: now the new one reads

Until GONE the old process can go on as if nothing had happened, for it only stopped reading. It
does so whenever anything fails, and first makes sure that the new one is dead: two processes must
never read one socket. So the new one knows what an end of the stream means, which is not a change
of mind: the old process died, and whoever was given is ours to serve.

This module knows frames and their order, not sockets: bytes and descriptors go in, frames come
out. `handover_wire` moves them, `handover_give` and `handover_take` are the two sides.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import islice
from typing import Any

import cbor2

from stratum.errors import ProtocolError

#: Raised with every change that an older or newer process could not read.
VERSION = 2

#: SCM_MAX_FD: what the kernel takes in one message (unix(7)).
MAX_DESCRIPTORS = 253

#: 253 sessions that each wait with a full buffer of unread lines. More is a bug or a stranger.
_MAX_BODY = 64 << 20

#: Body length, kind, how many descriptors come with it.
_HEAD = struct.Struct("<IBH")


class Kind(IntEnum):
    """What a frame is."""

    HELLO = 1
    REFUSED = 2
    LISTENERS = 3
    STATE = 4
    SESSIONS = 5
    DONE = 6
    READY = 7
    GONE = 8


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. Descriptors are numbers of the process that holds the frame."""

    kind: Kind
    body: Mapping[str, Any] = field(default_factory=dict)
    descriptors: Sequence[int] = ()

    def encode(self) -> bytes:
        """The bytes; the descriptors go beside the first of them."""
        assert len(self.descriptors) <= MAX_DESCRIPTORS
        body = cbor2.dumps(self.body, canonical=True)
        return _HEAD.pack(len(body), self.kind, len(self.descriptors)) + body


class FrameReader:
    """Bytes and descriptors, in whatever pieces they come, into frames."""

    def __init__(self) -> None:
        self._data = bytearray()
        self.unclaimed: deque[int] = deque()  # came, and belong to no frame yet

    def feed(self, data: bytes, descriptors: Iterable[int] = ()) -> None:
        self._data += data
        self.unclaimed.extend(descriptors)

    def next_frame(self) -> Frame | None:
        """The next whole frame. Raises ProtocolError where this is no such conversation."""
        if len(self._data) < _HEAD.size:
            return None
        size, kind, count = _HEAD.unpack_from(self._data)
        if size > _MAX_BODY or kind not in Kind.__members__.values() or count > MAX_DESCRIPTORS:
            raise ProtocolError(f"no frame: kind {kind}, {size} bytes, {count} descriptors")
        end = _HEAD.size + size
        if len(self._data) < end:
            return None

        # They travel with the first byte of their frame, so that all of them are here.
        if len(self.unclaimed) < count:
            raise ProtocolError(f"{count} descriptors told, {len(self.unclaimed)} came")
        body = _decode(bytes(self._data[_HEAD.size : end]))
        del self._data[:end]
        return Frame(Kind(kind), body, [self.unclaimed.popleft() for _ in range(count)])


def _decode(data: bytes) -> dict[str, Any]:
    try:
        body = cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError) as exc:
        raise ProtocolError(f"a frame's body can't be read: {exc}") from exc
    if not isinstance(body, dict):
        raise ProtocolError(f"a frame's body is {type(body).__name__}, expected a map")
    return body


# -- the new process -----------------------------------------------------------------------


def hello(room: int) -> Frame:
    return Frame(Kind.HELLO, {"version": VERSION, "room": room})


class Refused(ProtocolError):
    """The old process serves on, for the reason given."""


class Parcel:
    """What has come so far. Whoever takes it owns its descriptors."""

    def __init__(self) -> None:
        self.listeners: dict[str, int] = {}
        self.states: list[bytes] = []
        self.sessions: list[tuple[int, bytes]] = []
        self.is_whole = False

    def put(self, frame: Frame) -> None:
        """Take one frame of the old process's. Raises Refused, or ProtocolError where the frame
        is not one that may come now; its descriptors are the caller's to close then."""
        assert not self.is_whole
        match frame.kind:
            case Kind.REFUSED:
                raise Refused(str(frame.body.get("reason", "without a reason")))
            case Kind.LISTENERS if not self.listeners:
                names = _texts(frame.body.get("names"), len(frame.descriptors))
                self.listeners = dict(zip(names, frame.descriptors, strict=True))
            case Kind.STATE if self.listeners:
                self.states.append(_blobs([frame.body.get("state")], 1)[0])
            case Kind.SESSIONS if self.listeners:
                states = _blobs(frame.body.get("states"), len(frame.descriptors))
                self.sessions += zip(frame.descriptors, states, strict=True)
            case Kind.DONE if self.listeners:
                if frame.body.get("sessions") != len(self.sessions):
                    told = frame.body.get("sessions")
                    raise ProtocolError(f"{told} sessions told, {len(self.sessions)} came")
                self.is_whole = True
            case _:
                raise ProtocolError(f"{frame.kind.name} was not expected")

    @property
    def descriptors(self) -> list[int]:
        return [*self.listeners.values(), *(descriptor for descriptor, _ in self.sessions)]


def _texts(value: object, count: int) -> list[str]:
    found = _list(value, count)
    if len(set(map(str, found))) != count or not all(isinstance(one, str) for one in found):
        raise ProtocolError("names of listeners expected, each another one")
    return found


def _blobs(value: object, count: int) -> list[bytes]:
    found = _list(value, count)
    if not all(isinstance(one, bytes) for one in found):
        raise ProtocolError("states of sessions expected")
    return found


def _list(value: object, count: int) -> list[Any]:
    if not isinstance(value, list) or len(value) != count:
        raise ProtocolError(f"{count} values expected, one for each descriptor")
    return value


# -- the old process -----------------------------------------------------------------------


def objection(frame: Frame, connections: int) -> str | None:
    """Why the one who said this can't have our rigs; None where it can.

    Asked before anything is stopped: a new process that could not take all would lose some.
    """
    if frame.kind is not Kind.HELLO:
        return f"a HELLO was expected, not {frame.kind.name}"
    version, room = frame.body.get("version"), frame.body.get("room")
    if version != VERSION:
        return f"it speaks version {version} of the handover, we speak {VERSION}"
    if not isinstance(room, int) or room < connections:
        return f"it has room for {room} connections and we have {connections}"
    return None


def refusal(reason: str) -> Frame:
    return Frame(Kind.REFUSED, {"reason": reason})


def gift(
    listeners: Sequence[tuple[str, int]],
    states: Iterable[bytes],
    sessions: Iterable[tuple[int, bytes]],
) -> Iterator[Frame]:
    """Everything that is handed over, in messages that the kernel takes. At least one listener.

    `states` and `sessions` are read as the frames are: they need not be in memory all at once.
    """
    assert 0 < len(listeners) <= MAX_DESCRIPTORS
    names = [name for name, _ in listeners]
    yield Frame(Kind.LISTENERS, {"names": names}, [descriptor for _, descriptor in listeners])
    for state in states:
        yield Frame(Kind.STATE, {"state": state})
    rest, count = iter(sessions), 0
    while some := list(islice(rest, MAX_DESCRIPTORS)):
        body = {"states": [state for _, state in some]}
        yield Frame(Kind.SESSIONS, body, [descriptor for descriptor, _ in some])
        count += len(some)
    yield Frame(Kind.DONE, {"sessions": count})
