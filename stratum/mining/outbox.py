"""What is to be written to one rig, in order.

Under `strict` an answer must not promise what a power cut could take back. There everything waits
until the log has synced what it held when it was said, and nothing overtakes it.
"""

from __future__ import annotations

from collections import deque

from stratum.mining.site import Site


class Outbox:
    """Put bytes in, take away what may be written now."""

    __slots__ = ("_held", "_pieces", "_site", "put")

    def __init__(self, site: Site) -> None:
        self._site = site
        self._pieces: list[bytes] = []
        self._held: deque[tuple[int, bytes]] | None = None  # with the log's end at that time
        self.put = self._pieces.append

    def take(self) -> bytes:
        """All that may leave; empty where there is nothing."""
        pieces = self._pieces
        if not pieces and not self._held:
            return b""
        out = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return self._after_sync(out) if self._site.is_strict else out

    @property
    def is_held(self) -> bool:
        """Something waits for the log's sync: ask again then."""
        return bool(self._held)

    def _after_sync(self, out: bytes) -> bytes:
        held = self._held = deque() if self._held is None else self._held
        if out:
            held.append((self._site.log_end(), out))
            self._site.hurry()
        synced, ready = self._site.log_synced(), []
        while held and held[0][0] <= synced:
            ready.append(held.popleft()[1])
        return b"".join(ready)
