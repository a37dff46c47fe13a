"""Watts and a register at a feeder, as a meter shows them: late, noisy, and sometimes wrong.

The register integrates the true power, whatever ails the reading of watts: settlement rests on it.
It counts whole watt-hours; what is below one waits. A dead meter shows nothing, and its register
goes on, since the current flows through it all the same.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from stratum.power.brain.values import MeterReading
from stratum.power.twin.faults import Ailment

#: One sigma of a reading, part of its value: class 0.5S is 0.5 % at most (§7.4), so 0.1 % assumed.
NOISE = 0.001
#: §7.4: at most 2 s.
DELAY_MS = 1_000

_MS_PER_HOUR = 3_600_000


class Meter:
    """One meter. `register_wh` is where its register stood, `modulus_wh` where it rolls over."""

    def __init__(
        self,
        feeder: int,
        rng: np.random.Generator,
        *,
        serial: str = "",
        noise: float = NOISE,
        delay_ms: int = DELAY_MS,
        register_wh: int = 0,
        modulus_wh: int = 0,
    ) -> None:
        self.feeder = feeder
        self.ailment = Ailment.WELL
        self._watt_ms = register_wh * _MS_PER_HOUR  # an integer: sums of floats would lose some
        self._rng = rng
        self._serial = serial
        self._noise = noise
        self._delay_ms = delay_ms
        self._modulus_wh = modulus_wh
        self._under_way: deque[tuple[int, MeterReading]] = deque()
        self._shown: MeterReading | None = None  # the last that was sampled in good health

    @property
    def energy_wh(self) -> float:
        """What truly flowed, with its fraction."""
        return self._watt_ms / _MS_PER_HOUR

    def sample(
        self, power_w: float, mean_w: float, took_ms: int, now_ms: int, wall_ms: int
    ) -> None:
        """Time went on: `mean_w` flowed for `took_ms`, and `power_w` flows now."""
        self._watt_ms += round(mean_w * took_ms)
        if self.ailment is Ailment.DEAD:
            self._under_way.clear()
            return

        shown_w = round(power_w * (1.0 + self._noise * self._rng.standard_normal()))
        register = self._watt_ms // _MS_PER_HOUR
        if self.ailment is Ailment.FROZEN and self._shown is not None:
            shown_w, register = self._shown.power_w or 0, self._shown.energy_wh or 0
        elif self.ailment is Ailment.FLIPPED:
            shown_w = -shown_w

        arrives_ms = now_ms + self._delay_ms
        reading = MeterReading(
            feeder=self.feeder,
            power_w=shown_w,
            event_ms=wall_ms,
            received_ms=arrives_ms,
            energy_wh=register % self._modulus_wh if self._modulus_wh else register,
            serial=self._serial,
        )
        if self.ailment is Ailment.WELL:
            self._shown = reading
        self._under_way.append((arrives_ms, reading))

    def read(self, now_ms: int) -> tuple[MeterReading, ...]:
        """What arrived by now."""
        arrived = []
        while self._under_way and self._under_way[0][0] <= now_ms:
            arrived.append(self._under_way.popleft()[1])
        return tuple(arrived)
