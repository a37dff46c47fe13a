"""Is what we are told of the market to be believed.

Difficulty, subsidy and fees come from the pool's own template; the coin's price from somewhere
else, and is therefore doubted: by its age, by the operator's band, and by a leap against the
price believed last (cents for euros, a lost decimal point). What is not believed changes nothing:
the figures of the last belief stay, and so does every ceiling.
"""

from __future__ import annotations

from dataclasses import dataclass

from stratum.power.brain.commands import Level, Reason
from stratum.power.brain.settings import MINUTE, Settings
from stratum.power.brain.values import Market
from stratum.power.economics.currency import show_amount
from stratum.power.economics.hashprice import MICRO, micro_per_eh

#: Twice or half within `price_max_age_ms` (two hours): exchanges have not traded that, wrong
#: units have. A true fall as deep is believed once the last belief is too old to compare with.
LEAP = 2

#: 4 million a EH, in whatever currency: seven times today's in rials. Below it int64 holds a MWh.
MOST_MICRO_PER_EH = 4 * 10**12


@dataclass(frozen=True, slots=True)
class Belief:
    """The last market that was believed; `event_ms` is the UTC time of its coin price."""

    micro_per_eh: int
    coin_price_micro: int
    event_ms: int


def judge(
    market: Market | None, last: Belief | None, settings: Settings, wall_ms: int
) -> Belief | Reason:
    """What to believe of it, or why not."""
    if market is None or market.coin_price_micro is None:
        return _doubt(market, "price_missing", "no coin price is known")

    price, source = market.coin_price_micro, market.coin_source
    shown = f"{show_amount(price, settings.currency)} a coin from {source}"
    age_ms = wall_ms - market.coin_event_ms
    if age_ms > settings.price_max_age_ms:
        return _doubt(market, "price_stale", f"{shown} is {age_ms // MINUTE} min old")
    if age_ms < -settings.future_ms:
        return _doubt(market, "price_future", f"{shown} is {-age_ms / 1000:.0f} s ahead of us")

    low, high = settings.coin_price_band or (1, None)
    if price < low or (high is not None and price > high):
        band = " to ".join(show_amount(end, settings.currency) for end in (low, high) if end)
        return _doubt(market, "price_out_of_band", f"{shown}: the band is {band}")
    if last is not None and market.coin_event_ms - last.event_ms <= settings.price_max_age_ms:
        before = last.coin_price_micro
        if price >= LEAP * before or price * LEAP <= before:
            was = show_amount(before, settings.currency)
            return _doubt(market, "price_leap", f"{shown}, after {was}: not believed so soon")

    if market.difficulty < 1 or market.subsidy_sats + market.fees_sats <= 0:
        fault = f"difficulty {market.difficulty}, {market.subsidy_sats}+{market.fees_sats} sats"
        return _doubt(market, "market_impossible", f"{fault} a block earn nothing")
    worth = micro_per_eh(market.difficulty, market.subsidy_sats, market.fees_sats, price)
    if worth > MOST_MICRO_PER_EH:
        fault = f"10^18 hashes for {worth // MICRO} {settings.currency} is no hashprice"
        return _doubt(market, "market_impossible", f"{fault} (difficulty {market.difficulty})")
    return Belief(worth, price, market.coin_event_ms)


def _doubt(market: Market | None, code: str, text: str) -> Reason:
    subject = market.coin_source if market else ""
    return Reason(code, f"{text}; price decides nothing new", Level.WARNING, subject)
