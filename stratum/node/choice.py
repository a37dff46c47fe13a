"""Which node gives the templates: the first healthy one in order of preference.

Left at once, returned to with care. The active node is left as soon as it has a fault and
another is healthy. A more preferred node takes over again after it was healthy for a while, and
each relapse doubles that while, so a node that comes and goes moves the pool once, not every few
seconds. Where no other node is healthy, a silent active node is kept for some seconds: a node
busy with a new block answers late, and nothing is gained by having none.

Rigs never go back to a block that is already found, if it can be helped. A node whose chain stays
behind another's is passed over, and a node below the height that rigs were told takes over only
when the better one has been gone for some time: it will usually have caught up by then, and the
rigs have work meanwhile. Pure: verdicts and `now` go in, the index of a node comes out.
"""

from __future__ import annotations

from dataclasses import dataclass

#: A node may take this long to get and validate what another already has.
BEHIND_S = 10.0

#: How long a node is healthy before it displaces a less preferred one, and the most of it.
PROOF_S = 5.0
MOST_PROOF_S = 300.0

#: Healthy for this long: its earlier relapses are forgotten.
FORGIVEN_S = 600.0

#: At the start, how long a more preferred node may take to say anything.
FIRST_WORD_S = 2.0


@dataclass(slots=True)
class _Standing:
    heard: bool = False  # has had any verdict
    healthy: bool = False
    patience_s: float = 0.0  # how long its fault may be waited out
    since: float = 0.0  # of `healthy`, either way
    height: int = -1
    behind_since: float | None = None
    proof_s: float = 0.0  # nothing to prove before the first relapse


class Choice:
    """Verdicts on `count` nodes, most preferred first, and the choice they lead to."""

    def __init__(self, count: int, now: float) -> None:
        self._nodes = [_Standing() for _ in range(count)]
        self._started = now
        self._told = -1  # height of the active node when it was last healthy,
        self._told_at = now  # and when that was
        self.active: int | None = None

    def healthy(self, index: int, height: int, now: float) -> None:
        """The node answers, and its templates are good; its chain has `height` blocks."""
        node = self._nodes[index]
        if not node.healthy:
            node.healthy, node.since = True, now
        if now - node.since > FORGIVEN_S:
            node.proof_s = 0.0
        node.heard, node.height = True, height
        self._compare_heights(now)

    def faulty(self, index: int, now: float, *, patience_s: float = 0.0) -> None:
        """The node can't be used now; where no other can, it is kept for `patience_s`."""
        node = self._nodes[index]
        if node.healthy:
            node.proof_s = min(max(PROOF_S, node.proof_s * 2), MOST_PROOF_S)
        if node.healthy or not node.heard:
            node.healthy, node.since = False, now
        node.heard, node.patience_s, node.behind_since = True, patience_s, None
        self._compare_heights(now)

    def ahead_of(self, index: int, now: float) -> int | None:
        """The node that this one has been behind for too long; None while it keeps up."""
        since = self._nodes[index].behind_since
        if since is None or now - since < BEHIND_S:
            return None
        return max(range(len(self._nodes)), key=lambda other: self._height(other))

    def decide(self, now: float) -> int | None:
        """Choose, and remember the choice as `active`."""
        self.active = self._choose(now)
        if self.active is not None and self._nodes[self.active].healthy:
            self._told, self._told_at = self._nodes[self.active].height, now
        return self.active

    def _choose(self, now: float) -> int | None:
        usable = [index for index in range(len(self._nodes)) if self._usable(index, now)]
        if self.active in usable:
            better = [one for one in usable if one < self.active and self._proven(one, now)]
            return better[0] if better else self.active
        if usable:
            return None if self._still_waiting_for_better(usable[0], now) else usable[0]
        return self.active if self._worth_waiting_for(now) else None

    def _usable(self, index: int, now: float) -> bool:
        node = self._nodes[index]
        if not node.healthy or self.ahead_of(index, now) is not None:
            return False
        # The active node's own chain may become shorter, by a reorganisation.
        return index == self.active or node.height >= self._told or self._told_is_old(now)

    def _told_is_old(self, now: float) -> bool:
        return now - self._told_at >= BEHIND_S

    def _proven(self, index: int, now: float) -> bool:
        node = self._nodes[index]
        return now - node.since >= max(node.proof_s, PROOF_S)

    def _still_waiting_for_better(self, first: int, now: float) -> bool:
        silent_yet = any(not node.heard for node in self._nodes[:first])
        return self.active is None and silent_yet and now - self._started < FIRST_WORD_S

    def _worth_waiting_for(self, now: float) -> bool:
        if self.active is None:
            return False
        node = self._nodes[self.active]
        if any(other.healthy for other in self._nodes):
            return not self._told_is_old(now)  # for a node that will have caught up by then
        return now - node.since < node.patience_s

    def _height(self, index: int) -> int:
        node = self._nodes[index]
        return node.height if node.healthy else -1

    def _compare_heights(self, now: float) -> None:
        highest = max(self._height(index) for index in range(len(self._nodes)))
        for node in self._nodes:
            if not node.healthy or node.height >= highest:
                # One that was passed over for it proves itself anew.
                if node.behind_since is not None and now - node.behind_since >= BEHIND_S:
                    node.since = now
                node.behind_since = None
            elif node.behind_since is None:
                node.behind_since = now
