"""What is not known, drawn a few thousand times.

Five things are drawn: the growth of difficulty, the coin's price, which year's surplus it will
be and how rich, how many rigs fail, what the fees are. Each figure's range is its P10 and P90;
between and beyond them it is a normal distribution cut in two halves at the figure itself, so
that P50 is what the table of inputs says. Prices and fees are that in their logarithm.
"""

from __future__ import annotations

import numpy as np

from stratum.power.figures import Given
from stratum.power.plan.cash import Runs
from stratum.power.plan.chain import Calendar, Course
from stratum.power.plan.inputs import Inputs
from stratum.power.plan.surplus import Floats

#: The normal distribution's P90.
_Z90 = 1.2815515655446004


def middle(inputs: Inputs, when: Calendar, price_factor: float = 1.0) -> Runs:
    """One run in which every figure is what the table says, and the surplus the mean year.

    `price_factor` moves the coin's price of all months, and not the day of the quote: difficulty
    then follows it as it follows any change of price.
    """
    chain = inputs.chain
    price = price_factor * _growing(inputs, when)[None, :]
    return Runs(
        Course(
            np.array([[chain.difficulty_growth_percent.value]]),
            np.array([[chain.difficulty_follows.value]]),
            np.array([[chain.fees_btc.value]]),
            price,
        ),
        np.array([[inputs.site.surplus_year_percent.value / 100]]),
        np.array([[inputs.site.failures_percent.value]]),
    )


def draw(inputs: Inputs, when: Calendar, samples: int, seed: int, weather_years: int) -> Runs:
    """So many runs; the same ones for the same seed."""
    growth, coin, price, surplus, weather, failures, fees = (
        np.random.default_rng(own) for own in np.random.SeedSequence(seed).spawn(7)
    )
    chain, site = inputs.chain, inputs.site
    ones = np.ones((samples, 1))
    trend = _between(_given_log(chain.coin_growth_percent), coin, samples)
    course = Course(
        _between(chain.difficulty_growth_percent, growth, samples),
        chain.difficulty_follows.value * ones,
        np.exp(_between(_log(chain.fees_btc), fees, samples)),
        _prices(inputs, when, trend, price),
    )
    years = -(-when.months // 12)
    return Runs(
        course,
        _between(site.surplus_year_percent, surplus, samples).clip(0) / 100,
        np.exp(_between(_log(site.failures_percent), failures, samples)).clip(0, 100),
        weather.integers(weather_years, size=(samples, years)),
    )


def price_reach(inputs: Inputs) -> Given:
    """The coin's price, and how far a year of its volatility may take it."""
    price, volatility = inputs.chain.coin_price, inputs.chain.coin_volatility_percent.value / 100
    factor = float(np.exp(_Z90 * volatility))
    origin = "assumed: a year of that volatility"
    return Given(price.value, price.unit, origin, price.value / factor, price.value * factor)


def scales(inputs: Inputs) -> tuple[float, ...]:
    """Richness of a year at which absorption is reckoned: as far out again as P10 and P90.

    Beyond them lies one run in a hundred, which is taken to be there.
    """
    given = inputs.site.surplus_year_percent
    found = {2 * given.low - given.value, given.value, 2 * given.high - given.value}
    return tuple(sorted(max(percent, 0.0) / 100 for percent in found))


def _between(given: Given, rng: np.random.Generator, samples: int) -> Floats:
    """[samples, 1]: `low` is its P10, `value` its P50, `high` its P90."""
    z = rng.standard_normal((samples, 1)) / _Z90
    return np.asarray(
        given.value + np.where(z < 0, given.value - given.low, given.high - given.value) * z
    )


def _log(given: Given) -> Given:
    """The logarithm of a figure that can not be negative; 0 is as good as very little."""
    value, low, high = (float(np.log(max(x, 1e-9))) for x in (given.value, given.low, given.high))
    return Given(value, given.unit, given.origin, min(low, value), max(high, value))


def _given_log(percent: Given) -> Given:
    """The logarithm of the factor that a percentage a year is."""
    value, low, high = (
        float(np.log1p(x / 100)) for x in (percent.value, percent.low, percent.high)
    )
    return Given(value, percent.unit, percent.origin, low, high)


def _growing(inputs: Inputs, when: Calendar) -> Floats:
    chain = inputs.chain
    years = when.years_from(chain.quoted)
    return np.asarray(chain.coin_price.value * (1 + chain.coin_growth_percent.value / 100) ** years)


def _prices(inputs: Inputs, when: Calendar, trend: Floats, rng: np.random.Generator) -> Floats:
    """A random walk of the logarithm around a trend, from the day of the quote on."""
    chain = inputs.chain
    years = when.years_from(chain.quoted)
    steps = np.diff(years, prepend=0.0).clip(0)
    shocks = rng.standard_normal((len(trend), when.months)) * np.sqrt(steps)
    walk = chain.coin_volatility_percent.value / 100 * shocks.cumsum(axis=1)
    return np.asarray(chain.coin_price.value * np.exp(trend * years + walk))
