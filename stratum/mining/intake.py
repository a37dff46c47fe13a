"""The bytes of one connection: first to the gate, and what it leaves, line by line, to Python.

The socket's bytes go straight into the gate's buffer, which all connections share; only what
waits for the rest of its line, or for budget, is kept per connection. The gate answers every
plain submit in one crossing. What it stops at comes out of `next_line`: lines that are not
shares, and shares that it is not sure of.

Metering comes before parsing and hashing. A line that can't be paid for yet is kept, not refused:
the connection stops reading until there is budget again, so a flood costs its sender time and a
rig that bursts loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from hashing import GateStatus
from stratum.mining.rig import Rig
from stratum.mining.site import Site
from stratum.protocol.framing import MAX_LINE, LineTooLong, check_first_bytes


class Intake:
    """Let the socket write to `room`, tell `arrived`, then take lines until there are none."""

    __slots__ = (
        "_end",
        "_gate",
        "_is_direct",
        "_is_open",
        "is_checked",
        "_put",
        "_pending",
        "_rig",
        "_site",
        "_start",
        "_state",
        "_unfinished_since",
        "is_throttled",
        "throttled_for",
    )

    def __init__(self, site: Site, rig: Rig, put: Callable[[bytes], None]) -> None:
        """`put` is given what the gate answers."""
        self._site = site
        self._gate = site.gate
        self._rig = rig
        self._state = rig.state
        self._put = put
        self._pending = b""
        self._start = self._end = 0  # of what is not taken yet, in the gate's buffer
        self.is_checked = False  # that the first bytes are Stratum's
        self._unfinished_since = 0  # microseconds; 0: no line is unfinished
        self._is_open = False  # the gate may judge: subscribed and authorized
        self._is_direct = False  # and its answers wait for nothing
        self.is_throttled = False  # lines are waiting: nothing more should be read
        self.throttled_for = 0.0  # seconds until the next one can be taken

    def open(self) -> None:
        """The rig is subscribed and authorized: the gate may judge its shares."""
        self._is_open = self._rig.state.is_open = True
        self._is_direct = not self._site.is_strict

    def room(self) -> memoryview:
        """Where the socket's next bytes belong: behind those that wait."""
        buffer = self._gate.buffer
        if not self._pending:
            return buffer
        waiting = len(self._pending)
        buffer[:waiting] = self._pending
        return buffer[waiting:]

    def arrived(self, size: int) -> None:
        """So many bytes were written to `room`, with nobody else's turn in between."""
        self._start = 0
        self._end = len(self._pending) + size
        self._pending = b""

    def answer(self, size: int, now_us: int) -> bytes:
        """The same, where that is all there is to do: whole lines, every one of them the gate's.

        What to write, past everything else that is to be written, of which there is none. Nothing
        where there is more to it: `next_line` goes on from there.
        Most reads of a pool are one share, and this is what each of them costs.
        """
        if self._pending or not self._is_direct:
            self.arrived(size)
            return b""
        gate = self._gate
        if answers := gate.answer(self._state, size, now_us):
            return answers
        self._start, self._end = gate.consumed, size
        if gate.lines:
            self._put(gate.replies())
        return b""

    @property
    def unread(self) -> bytes:
        """What waits."""
        return self._pending

    def next_line(self, now_us: int) -> bytes | None:
        """The next line that is Python's, paid for; None if there is none, or no budget for it.

        Raises ForeignProtocol or LineTooLong.
        """
        self.is_throttled = False
        while self._start < self._end:
            if self._is_open and not self._pass_gate(now_us):
                break
            line = self._cut()
            if line is None:
                break
            if not self._rig.state.pay_line(now_us):
                self._throttle(self._rig.state.line_wait_us(now_us))
                break
            self._start += len(line)
            self._unfinished_since = 0
            return line[:-1].removesuffix(b"\r")
        self.keep_rest(now_us)
        return None

    @property
    def has_unfinished(self) -> bool:
        """A line waits for its end."""
        return self._unfinished_since != 0

    @property
    def unfinished_since(self) -> float:
        """When its first byte came, in Unix time. More bytes do not reset it."""
        return self._unfinished_since / 1_000_000

    # -- the gate --------------------------------------------------------------------------

    def _pass_gate(self, now_us: int) -> bool:
        """Have the gate judge what it will; True if a line for Python comes next."""
        gate, state = self._gate, self._rig.state
        while True:
            status = gate.take(state, self._start, self._end, now_us)
            self._start = gate.consumed
            if gate.lines:
                self._unfinished_since = 0
                self._put(gate.replies())
            match status:
                case GateStatus.LINE:
                    return True
                case GateStatus.MORE:
                    return False
                case GateStatus.LIMIT:
                    self._throttle(0)
                    return False
                case GateStatus.BUDGET:
                    self._throttle(state.line_wait_us(now_us))
                    return False
                case GateStatus.SEEN:
                    if not self._renew_seen():
                        return True
                case GateStatus.WORKER:
                    if not self._site.number_worker(self._rig, state.latest_worker):
                        return True
                case GateStatus.LOG_FULL:
                    if not self._site.make_room():
                        return True

    def _renew_seen(self) -> bool:
        """Show the gate the shares of the present block, with room for more; False where this
        rig has had all that it may have of them. Once for each block, and as the table grows."""
        pool = self._site.pool
        if pool.prevhash is None or self._state.is_full:
            return False
        seen = self._site.duplicates.of(pool.prevhash)
        seen.make_room()
        self._gate.use_seen(seen, pool.generation)
        return True

    # -- lines -----------------------------------------------------------------------------

    def _cut(self) -> bytes | None:
        """The next line with its end, still in its place; None while it has none."""
        buffer = self._gate.buffer
        data = bytes(buffer[self._start : min(self._end, self._start + MAX_LINE + 2)])
        if not self.is_checked:
            # Not even an empty line goes out yet: a PROXY v2 header begins with two of them.
            self.is_checked = check_first_bytes(data)
            if not self.is_checked:
                return None
        end = data.find(b"\n")
        if end > MAX_LINE or (end < 0 and len(data) > MAX_LINE):
            raise LineTooLong(f"line is longer than {MAX_LINE} bytes")
        return data[: end + 1] if end >= 0 else None

    def _throttle(self, wait_us: int) -> None:
        self.is_throttled = True
        self.throttled_for = wait_us / 1_000_000

    def keep_rest(self, now_us: int) -> None:
        """What was not taken waits; the buffer is somebody else's now."""
        if self._start < self._end:
            self._pending = bytes(self._gate.buffer[self._start : self._end])
            if not self.is_throttled and not self._unfinished_since:
                self._unfinished_since = now_us
        self._start = self._end = 0
