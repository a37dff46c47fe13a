"""Numbers, times and strangers' names as people read them.

A worker name is whatever a stranger typed. Besides markup, which the page escapes, it may hold
control characters, half surrogate pairs that no UTF-8 can carry, or marks that turn the text
around them; shown_name() leaves nothing of those.
"""

from __future__ import annotations

from collections.abc import Mapping

_NAME_LENGTH = 96

_MINUTE = 60
_HOUR = 3600
_DAY = 86400

_SATS_PER_BITCOIN = 100_000_000


def shown_name(text: str) -> str:
    """A peer's text with nothing but printable characters in it, cut to a bearable length."""
    if len(text) > _NAME_LENGTH:
        text = text[: _NAME_LENGTH - 1] + "…"
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def show_difficulty(difficulty: float) -> str:
    """`1,024`, `0.00015`, and `126.3 T` where the digits would tell nobody anything."""
    if difficulty < 1:
        return f"{difficulty:.3g}"
    if difficulty < 1e6:
        return f"{difficulty:,.2f}".removesuffix(".00")
    for prefix in ("M", "G"):
        if difficulty < 1e9:
            return f"{difficulty / 1e6:.4g} {prefix}"
        difficulty /= 1000
    return f"{difficulty / 1e6:,.1f} T"


def show_spread(value: float, low: float, high: float) -> str:
    """`±12 %` of the value: the wider side. Empty where percents would tell nobody anything."""
    if value <= 0:
        return ""
    wider = max(high - value, value - low) / value
    if wider >= 1:
        return "±100 % or more"
    percent = 100 * wider
    return f"±{percent:.2g} %" if percent < 10 else f"±{percent:.0f} %"


def show_share(part: float) -> str:
    """`99.98 %`; 100 only where nothing at all is missing."""
    percent = 100 * part
    return "100 %" if part == 1 else f"{min(percent, 99.99):.2f} %"


def show_counts(counts: Mapping[str, int]) -> str:
    """`stale 10, duplicate 2`: the most first, without those that are zero."""
    there = sorted(((count, name) for name, count in counts.items() if count), reverse=True)
    return ", ".join(f"{name.replace('_', ' ')} {count:,}" for count, name in there)


def show_bitcoin(sats: int) -> str:
    """`3.12500000 BTC`: all eight decimals, so that columns align and nothing is rounded."""
    whole, rest = divmod(sats, _SATS_PER_BITCOIN)
    return f"{whole:,}.{rest:08d} BTC"


def show_span(seconds: float) -> str:
    """Two units at most: `8 s`, `5 min 2 s`, `3 h 20 min`, `12 d 4 h`."""
    whole = max(int(seconds), 0)
    for size, name, smaller, its_name in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name}" + (f" {rest} {its_name}" if rest else "")
    return f"{whole} s"


def show_age(at: float | None, now: float) -> str:
    """`8 s ago`, or `never`."""
    return "never" if at is None else f"{show_span(now - at)} ago"
