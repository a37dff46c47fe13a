"""What a whole pool does when its rigs change process: in which order it stops and starts again.

The old process lets go of everything that could change a rig or the log, the new one loads what
it was given into parts that do not run yet. Whose rig, job or share it is is `mining`'s and
`net`'s to say; here is only what comes when.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cbor2

from stratum.app.handover_take import Taken
from stratum.errors import OutsideError
from stratum.mining.passage import resume_pool, resume_site, save_pool, save_site
from stratum.mining.site import Site

logger = logging.getLogger(__name__)

#: DESIGN §8.5: the old process drains write queues for so long.
DRAIN_LIMIT = 1.0

#: Of seen shares in one message, about.
_PIECE = 4 << 20

#: Of those that can't be made sessions of. A few are strangers' oddities; most of them are a bug
#: of ours, and the old process had better go on.
_TOO_MANY_LOST = 0.5


class Handover(Protocol):
    """What the server of rigs can do (`stratum.net.handing`)."""

    @property
    def connections(self) -> int: ...
    def pause(self) -> None: ...
    async def drain(self, limit: float) -> None: ...
    def listeners(self) -> Sequence[tuple[str, int]]: ...
    def sockets_and_states(self) -> Iterable[tuple[int, bytes]]: ...
    async def resume(self) -> None: ...
    def adopt(self, sock: socket.socket, state: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class House:
    """One pool, on either side of a handover; as a Giver it is asked by `handover_give`."""

    rigs: Handover
    site: Site
    http_listeners: Callable[[], Sequence[tuple[str, int]]]
    stop_work: Callable[[], Awaitable[None]]  # nodes, timers: what else could write
    start_work: Callable[[], None]
    close_log: Callable[[], None]  # after its last sync was told
    open_log: Callable[[], None]

    # -- the old process -------------------------------------------------------------------

    @property
    def connections(self) -> int:
        return self.rigs.connections + len(self.http_listeners())

    async def let_go(self) -> None:
        self.rigs.pause()
        await self.stop_work()
        self.close_log()
        await self.rigs.drain(DRAIN_LIMIT)

    def listeners(self) -> Sequence[tuple[str, int]]:
        return [*self.rigs.listeners(), *self.http_listeners()]

    def states(self) -> Iterator[bytes]:
        site, pool = self.site, self.site.pool
        yield _encode({"pool": save_pool(pool), "site": save_site(site)})
        # The log has these shares too; ten thousand rigs' would take a minute to hash again.
        piece, size = [], 0
        for prevhash, keys in site.duplicates.told(pool.live_prevhashes):
            piece.append([prevhash, keys])
            size += len(keys)
            if size >= _PIECE:
                yield _encode({"seen": piece})
                piece, size = [], 0
        yield _encode({"seen": piece})

    def sockets_and_states(self) -> Iterable[tuple[int, bytes]]:
        return self.rigs.sockets_and_states()

    async def take_back(self) -> None:
        self.open_log()
        await self.rigs.resume()
        self.start_work()

    # -- the new process -------------------------------------------------------------------

    async def move_in(self, taken: Taken) -> None:
        """Load what was taken; returns when it is ours for certain. The pool has taken up the
        jobs of an earlier run before. Raises OutsideError where it can't be loaded."""
        try:
            for state in taken.states:
                self._load(cbor2.loads(state))
        except Exception as exc:
            # Another version may have written anything; it serves on.
            raise OutsideError(f"the old pool's state is not understood: {exc!r}") from exc

        lost = 0
        for sock, state in taken.sessions:
            try:
                self.rigs.adopt(sock, state)
            except ValueError as exc:
                logger.warning("a rig can't be taken over: %s", exc)
                sock.close()
                lost += 1
        if lost > _TOO_MANY_LOST * len(taken.sessions):
            raise OutsideError(f"{lost} of {len(taken.sessions)} rigs can't be taken over")
        await taken.ready()
        logger.info("%s rigs taken over, %s lost", len(taken.sessions) - lost, lost)

    def _load(self, state: dict[str, Any]) -> None:
        if "pool" in state:
            resume_pool(self.site.pool, state["pool"])
            resume_site(self.site, state["site"])
        for prevhash, keys in state.get("seen", []):
            self.site.duplicates.revive(prevhash, keys)


def _encode(state: dict[str, Any]) -> bytes:
    return cbor2.dumps(state, canonical=True)
