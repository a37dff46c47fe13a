"""How many rigs the descriptor limit leaves room for: raised at the start, watched later.

Every connection is a descriptor. A process that runs out of them can't accept, and can't open a
file for a found block either; so what we need for ourselves is kept out of the count.
"""

from __future__ import annotations

import logging
import resource

logger = logging.getLogger(__name__)

#: The log's segments, spool and templates, nodes, viewers of the page and what they are passed
#: on by, the loop's own, and the listeners.
_OURS = 256

#: A limit of "none" is read as this: more rigs than one process can serve.
_ENOUGH = 1 << 20

#: Said above the first, said again only after it was below the second.
_TIGHT, _LOOSE = 0.9, 0.8


def raise_limit() -> int:
    """Raise the soft limit to the hard one; how many rigs that leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return room()
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return room()


def room() -> int:
    """Connections that the present limit leaves room for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _ENOUGH if soft == resource.RLIM_INFINITY else min(soft, _ENOUGH)
    return max(most - _OURS, 0)


class RoomWatch:
    """Warns before the room is used up. The limit is taken as it is now."""

    def __init__(self) -> None:
        self.room = room()
        self._is_tight = False

    def check(self, connections: int) -> None:
        """Once in a while."""
        if connections < _LOOSE * self.room:
            self._is_tight = False
        elif connections >= _TIGHT * self.room and not self._is_tight:
            self._is_tight = True
            logger.warning(
                "%s connections of the %s that the descriptor limit leaves room for:"
                " raise it (ulimit -Hn; LimitNOFILE= under systemd)",
                connections,
                self.room,
            )
