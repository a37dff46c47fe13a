from __future__ import annotations

import math

import pytest

from stratum.power.plan.chain import btc_per_mwh, calendar
from stratum.power.plan.draws import middle
from stratum.power.plan.inputs import Inputs
from stratum.power.plan.running import hashprices, pays_up_to, runs_up_to
from tests.power.plan.question import fleet, plain_inputs

WHEN = calendar(Inputs().first_month, 60)


def test_a_fleet_runs_up_to_what_a_megawatt_hour_of_it_earns() -> None:
    inputs = plain_inputs()
    price = float(hashprices(inputs, WHEN)[0])
    earned = btc_per_mwh(inputs.chain, WHEN, middle(inputs, WHEN).course, 20.0)[0, 0] * 73_300
    assert runs_up_to(inputs, fleet(), price) == pytest.approx(earned)


def test_at_the_tariff_up_to_which_a_rig_runs_it_is_the_last_that_pays() -> None:
    inputs = Inputs()  # with overhead, stale work and all
    price = float(hashprices(inputs, WHEN)[-1])
    tariff = runs_up_to(inputs, fleet(), price)
    assert pays_up_to(inputs, tariff, price) == pytest.approx(20.0)
    assert pays_up_to(inputs, -5.0, price) == math.inf
