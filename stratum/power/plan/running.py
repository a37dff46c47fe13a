"""Where rigs and site are paid for: up to which tariff a rig is left on, and which rig still pays.

That is another question than whether to build: only power is weighed against what it earns. In
the middle case, by the hashprice of a month.
"""

from __future__ import annotations

import numpy as np

from stratum.power.economics.breakeven import Losses, breakeven_j_per_th, breakeven_tariff
from stratum.power.economics.hashprice import price_per_ph_day
from stratum.power.plan import chain, draws
from stratum.power.plan.fleet import Fleet
from stratum.power.plan.inputs import Inputs
from stratum.power.plan.surplus import Floats


def hashprices(inputs: Inputs, when: chain.Calendar) -> Floats:
    """Of each month, per PH/s and day."""
    course = draws.middle(inputs, when).course
    difficulty = chain.difficulty(inputs.chain, when, course)[0].tolist()
    rewards = (chain.subsidies_btc(inputs.chain, when) + course.fees_btc[0]).tolist()
    return np.array(
        [
            price_per_ph_day(at, reward, price)
            for at, reward, price in zip(difficulty, rewards, course.price[0].tolist(), strict=True)
        ]
    )


def runs_up_to(inputs: Inputs, fleet: Fleet, hashprice: float) -> float:
    """The tariff per MWh at the meter at which the fleet's mean rig earns its power and no more."""
    return breakeven_tariff(hashprice, fleet.j_per_th, _losses(inputs))


def pays_up_to(inputs: Inputs, tariff: float, hashprice: float) -> float:
    """J/TH of the rig that earns its power at this tariff and no more; infinite below zero."""
    return breakeven_j_per_th(hashprice, tariff, _losses(inputs))


def _losses(inputs: Inputs) -> Losses:
    site = inputs.site
    return Losses(
        site.stale_percent.value / 100, site.pool_fee_percent.value / 100, site.overhead.value
    )
