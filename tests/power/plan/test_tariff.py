from __future__ import annotations

import numpy as np
import pytest

from stratum.errors import ConfigError
from stratum.power.figures import Given
from stratum.power.plan.tariff import flat, parse
from tests.power.plan.question import NEW_YEAR_S

HOURS = NEW_YEAR_S + 3600 * np.arange(24)


def costs(text: str) -> list[float]:
    bands = parse(text, "EUR").bands(HOURS)
    return [float(rate) for rate in bands.rates[bands.band]]


def test_one_price_is_one_band() -> None:
    assert costs("25") == [25] * 24
    assert costs(" -3.5 ") == [-3.5] * 24


def test_a_window_over_midnight_and_another_replace_it() -> None:
    found = costs("25, 22:00-06:00=-5, 12:00-14:00=0")
    assert found == [-5] * 6 + [25] * 6 + [0] * 2 + [25] * 8 + [-5] * 2


def test_a_window_may_end_at_midnight() -> None:
    assert costs("1,20:00-00:00=2")[19:] == costs("1,20:00-24:00=2")[19:] == [1, 2, 2, 2, 2]


def test_every_mistake_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("cheap,8-9=3,25:00-26:00=1,10:00-10:00=1,10:00-11:00=nan,10:00-11:00=1e9", "EUR")
    assert [problem.fault for problem in caught.value.problems] == [
        "'cheap' is no price",
        "'8-9=3' is no window",
        "'25:00-26:00=1' is no part of a day",
        "'10:00-10:00=1' is no part of a day",
        "nan is no price per MWh",
        "1e9 is no price per MWh",
    ]


def test_a_figure_with_a_range_stays_one() -> None:
    rate = Given(15.0, "USD/MWh", "assumed", 0.0, 35.0)
    prices = flat(rate)
    assert prices.rate is rate
    assert prices.bands(HOURS).rates.tolist() == [15]
