"""Which difficulty a rig gets: the tier's, the rig's own wishes, and vardiff between them.

d= in the password      pins it; vardiff rests
suggest_difficulty      where vardiff begins
md=, minimum-difficulty a floor
the tier                first difficulty, the lowest and the highest ever
main                    never above the network's: a share would be harder than a block
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from stratum.bitcoin.networks import Network
from stratum.mining.names import Wishes
from stratum.mining.settings import TierSettings
from stratum.mining.vardiff import Vardiff

#: Weights are u64 in the share record.
MAX_WEIGHT = 2**63


class DifficultyControl:
    """One rig's difficulty in weight units; `weight` is what the next job should carry."""

    __slots__ = ("_fixed", "_floor", "_network", "_seen_work", "_suggested", "_tier", "_vardiff")

    def __init__(self, network: Network, tier: TierSettings, now: float) -> None:
        self._network = network
        self._tier = tier
        self._fixed: Fraction | None = None
        self._floor: Fraction | None = None
        self._suggested: Fraction | None = None
        self._seen_work = 0
        self._vardiff = self._begin(now)

    @property
    def weight(self) -> int:
        return self._vardiff.weight

    @property
    def runs(self) -> bool:
        """Whether vardiff may move it."""
        return self._tier.vardiff and self._fixed is None

    def look(self, work: int, now: float) -> bool:
        """Show it all the work the rig has done so far; True if the difficulty should change."""
        self._vardiff.work(work - self._seen_work)
        self._seen_work = work
        return self.runs and self._vardiff.wish(now) is not None

    def patience(self, now: float) -> float:
        """Seconds until the next look is worth it."""
        return self._vardiff.patience(now)

    def adjust(self, now: float) -> None:
        """Grant vardiff's wish: a job is about to leave, the only moment it may be told."""
        wish = self._vardiff.wish(now) if self.runs else None
        if wish is not None:
            self._vardiff.changed(wish, now)

    # Each of these takes a wish of the rig; True if that changes the difficulty.

    def suggest(self, difficulty: Fraction, now: float) -> bool:
        """Begin again from there; the same wish once more must not undo what vardiff learned."""
        if difficulty == self._suggested:
            return False
        self._suggested = difficulty
        return self._again(now)

    def set_minimum(self, difficulty: Fraction | None, now: float) -> bool:
        self._floor = difficulty
        if self._vardiff.is_untried:
            return self._again(now)
        before = self.weight
        self._vardiff.bound(self._lowest(), self._highest())
        if before < self._lowest():
            self._vardiff.restart(before, now)
        return self.weight != before

    def set_wishes(self, wishes: Wishes, now: float) -> bool:
        self._fixed = wishes.fixed
        self._floor = wishes.floor or self._floor
        return self._again(now)

    @property
    def wishes(self) -> tuple[Fraction | None, Fraction | None, Fraction | None]:
        """What the rig has said of it: pinned, floor, suggested."""
        return self._fixed, self._floor, self._suggested

    @property
    def is_untried(self) -> bool:
        """The weight is a setting or a wish, not yet a measurement."""
        return self._vardiff.is_untried

    def resume(
        self, wishes: Sequence[Fraction | None], weight: int, is_untried: bool, now: float
    ) -> None:
        """Go on where another process was; what vardiff had counted since its last change is the
        one thing that is counted again."""
        self._fixed, self._floor, self._suggested = wishes
        self._vardiff = self._begin(now)
        self._vardiff.restart(weight, now)
        self._vardiff.is_untried = is_untried

    def _again(self, now: float) -> bool:
        before = self.weight
        self._vardiff = self._begin(now)
        return self.weight != before

    def _begin(self, now: float) -> Vardiff:
        scale = self._network.scale
        first = self._fixed or self._suggested or Fraction(self._tier.difficulty)
        return Vardiff(scale, scale.settle(first), self._lowest(), self._highest(), now)

    def _lowest(self) -> int:
        settle = self._network.scale.settle
        lowest = settle(Fraction(self._tier.min_difficulty))
        return lowest if self._floor is None else max(lowest, settle(self._floor))

    def _highest(self) -> int:
        highest = self._tier.max_difficulty
        return self._network.scale.settle(Fraction(highest)) if highest else MAX_WEIGHT
