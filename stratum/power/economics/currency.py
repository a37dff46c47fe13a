"""Which three letters are a currency, and how many decimals its amounts have.

The list is ISO 4217 List One of 2024-06-25 as SIX Financial Information publishes it for ISO,
with what changed until 2026-01-01: XCG for ANG, CUC withdrawn, XAD (amendment 179), BGN withdrawn
(amendment 180). Codes without a minor unit (metals, bond units, SDR,
tests) price nothing and are left out: XAU is no typing error of AUD that we wish to accept.
"""

from __future__ import annotations

import difflib

from stratum.errors import Problem

_TWO = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL
MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR
PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP
TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
"""
_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"

#: Decimals of each active code.
MINOR_UNITS: dict[str, int] = {
    code: digits
    for digits, codes in ((2, _TWO), (0, _NONE), (3, _THREE), (4, _FOUR))
    for code in codes.split()
}

#: Withdrawn since 2021, and what took their place (List Three).
SUCCESSORS = {
    "ANG": "XCG",
    "BGN": "EUR",
    "CUC": "CUP",
    "HRK": "EUR",
    "SLL": "SLE",
    "ZWL": "ZWG",
}

#: What people write who do not know the code.
_HABITS = {
    "€": "EUR",
    "$": "USD",
    "£": "GBP",
    "EURO": "EUR",
    "DOLLAR": "USD",
    "RMB": "CNY",
    "UKP": "GBP",
    "NTD": "TWD",
}


def problem_of(code: object, key: str = "currency") -> Problem | None:
    """What is wrong with this as a currency, with a suggestion; None where nothing is."""
    if not isinstance(code, str):
        return Problem(key, f"is {code!r}, no currency", 'three letters of ISO 4217, as "EUR"')
    if code in MINOR_UNITS:
        return None
    return Problem(key, f"{code[:20]!r} is no active ISO 4217 code", _suggestion(code))


def show_amount(micro: int, code: str) -> str:
    """`-1234.50 EUR` of millionths; rounded half away from zero to the code's minor unit.

    Sentences of `decide` are made with it, which never stops over a word: a code that was not
    checked gets two decimals.
    """
    digits = MINOR_UNITS.get(code, 2)
    unit: int = 10 ** (6 - digits)
    minor = (abs(micro) + unit // 2) // unit
    sign = "-" if micro < 0 and minor else ""
    whole, rest = divmod(minor, 10**digits)
    decimals = f".{rest:0{digits}d}" if digits else ""
    return f"{sign}{whole}{decimals} {code}"


def _suggestion(code: str) -> str:
    wanted = code.strip().upper()
    if wanted in SUCCESSORS:
        return f"it was replaced by {SUCCESSORS[wanted]}"
    if wanted in _HABITS or wanted in MINOR_UNITS:
        return f"did you mean {_HABITS.get(wanted, wanted)}?"
    close = difflib.get_close_matches(wanted[:20], MINOR_UNITS, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else 'three letters, as "EUR"'
