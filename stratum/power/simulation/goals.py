"""A score as lines for people: figure, unit, what it should be, and whether it is."""

from __future__ import annotations

from dataclasses import dataclass

from stratum.power.simulation.farms import Mix
from stratum.power.simulation.run import Run
from stratum.power.simulation.score import SETTLES_SECONDS, Score

#: What a reader of the figures should know.
HOW_ERRORS_COUNT = (
    f"Errors leave out the first {SETTLES_SECONDS} s of an ordered shed, until 95 % of it is gone: "
    "N3 and N4 judge these."
)


@dataclass(frozen=True, slots=True)
class Line:
    """One figure. `most` is the goal it is held against (docs/power.md), where there is one."""

    what: str
    value: float
    unit: str
    most: float | None = None
    number: str = ""  # of the goal

    @property
    def is_met(self) -> bool | None:
        return None if self.most is None else self.value <= self.most

    @property
    def _named(self) -> str:
        return f"({self.number})" if self.number else ""

    @property
    def goal(self) -> str:
        return "" if self.most is None else f"≤ {self.most:g} {self._named}".strip()


def lines(run: Run, score: Score) -> tuple[Line, ...]:
    """In the order of what matters: over-consumption, missed energy, error, wear.

    N7 is for fast firmware with a trim group, N8 for what is only on or off; of the six kinds at
    once the reference says nothing, so they are held against stock firmware's.
    """
    farm = run.scenario.farm
    trims, is_fast = farm.trim_bp > 0, farm.mix is Mix.FAST
    error, error_number = (1.5, "N7") if trims and is_fast else (2.0 if is_fast else 4.0, "N8")
    missed = 2.0 if trims and is_fast else 5.0
    found = [
        Line("taken above the surplus", score.over, "% of energy", 0.5, "N9"),
        Line("surplus missed", score.missed, "% of energy", missed),
        Line("error, 1-min means", score.rmse_1min, "% of fleet", error, error_number),
        Line("the same, worst half hour", score.rmse_1min_worst, "% of fleet"),
        Line("error, 4 s samples", score.rmse_4s, "% of fleet", 2.0 if trims else None, "N7"),
        Line("mean error", score.bias, "% of fleet"),
        Line("cycles, mean", score.cycles_mean, "a rig and day", 6.0, "N15"),
        Line("cycles, p95", score.cycles_p95, "a rig and day", 12.0, "N15"),
        Line("cycles, most", score.cycles_max, "a rig and day", 24.0, "N15"),
        Line("taken", score.taken_wh / 1e6, "MWh"),
    ]
    if run.settings.cap_w is not None:
        found.append(Line("most above the cap", score.above_cap_w / 1e3, "kW"))
    for shed in score.sheds[:6]:
        minute, megawatts = shed.at_s / 60, shed.ordered_w / 1e6
        for part, took in (("10 %", shed.t10_s), ("95 %", shed.t95_s)):
            most = ((3.0, "N3") if part == "10 %" else (10.0, "N4")) if is_fast else (None, "")
            found.append(
                Line(
                    f"{part} of {megawatts:.2f} MW shed at {minute:g} min",
                    float("inf") if took is None else took,
                    "s",
                    *most,
                )
            )
    return tuple(found)
