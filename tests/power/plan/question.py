"""A small plan whose sums can be done by hand: one rig model, one flat year, one price."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import numpy as np

from stratum.power.figures import Given, certain
from stratum.power.plan.fleet import Fleet, Machine
from stratum.power.plan.inputs import Chain, Inputs, Money, Site, figures
from stratum.power.plan.surplus import Floats, Surplus
from stratum.power.plan.tariff import flat
from stratum.power.plan.verdict import Question

#: 2025-01-01 00:00 UTC.
NEW_YEAR_S = 1_735_689_600


def year_of(mw: Floats | float, step_s: int = 3600) -> Surplus:
    """A year at that step; a number is a flat one."""
    steps = 365 * 86_400 // step_s
    series = np.full(steps, mw) if isinstance(mw, float | int) else mw
    return Surplus("made", "made for a test", NEW_YEAR_S, step_s, series)


_Group = TypeVar("_Group", Chain, Site, Money)


def put(group: _Group, **values: float) -> _Group:
    """The group with these figures, as certain ones."""
    changes: dict[str, Any] = {
        name: certain(value, getattr(group, name).unit, "a test") for name, value in values.items()
    }
    return dataclasses.replace(group, **changes)


def plain_site() -> Site:
    """No losses, no overhead, no failures."""
    site = Site()
    return put(site, **{name: 0.0 for name, _, _ in figures(site)} | {
        "overhead": 1.0, "surplus_year_percent": 100.0})  # fmt: skip


def plain_money() -> Money:
    money = Money()
    return put(money, **{name: 0.0 for name, _, _ in figures(money)} | {"rig_life_years": 5.0})


def plain_chain() -> Chain:
    """Difficulty and price stand still."""
    return put(
        Chain(),
        block_interval_s=600.0,
        difficulty_growth_percent=0.0,
        difficulty_follows=0.0,
        coin_growth_percent=0.0,
        coin_volatility_percent=0.0,
        fees_btc=0.0,
    )


def plain_inputs(**changes: Any) -> Inputs:
    inputs = Inputs(chain=plain_chain(), site=plain_site(), money=plain_money())
    return dataclasses.replace(inputs, **changes)


def fleet(count: int = 100, price: float = 1000.0, low: float | None = None) -> Fleet:
    """Rigs of 1 kW and 50 TH/s, 20 J/TH."""
    given = Given(price, "a rig", "a test", price if low is None else low, price)
    return Fleet("ours", (Machine("Rig", 50.0, 1000.0, given, count, "a test"),))


def question(inputs: Inputs | None = None, rate: float = 20.0, **changes: Any) -> Question:
    asked = Question(
        (year_of(1.0),),
        (fleet(),),
        flat(certain(rate, "USD/MWh", "a test")),
        inputs or plain_inputs(),
        samples=200,
    )
    return dataclasses.replace(asked, **changes)
