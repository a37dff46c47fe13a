"""`[[listen]]` and `[http]`: the ports, what each starts with, and who else wants them."""

from __future__ import annotations

import ipaddress

from stratum.bitcoin.networks import Network
from stratum.config import values
from stratum.config.table import Table
from stratum.config.values import Endpoint, Fault, shown
from stratum.mining.settings import TierSettings
from stratum.observability.settings import HttpSettings

#: A weight fills 63 bits of a share record (`stratum.units`).
_MAX_WEIGHT = 2**63

#: What is read where a key is faulty or absent; port 0 clashes with nothing.
_NOWHERE = Endpoint("", 0)
_TIER = TierSettings(*_NOWHERE)

_WILDCARDS = {4: "0.0.0.0", 6: "::"}


def read_ports(
    root: Table, network: Network | None
) -> tuple[tuple[TierSettings, ...], HttpSettings]:
    """All tiers and the HTTP port; at least one tier, and no port wanted twice."""
    tables = root.tables("listen")
    if not tables and root.sound("listen"):
        root.complain("listen", "is missing", "add a [[listen]] table with an address")
    tiers = tuple(_read_tier(table, network) for table in tables)

    http_table = root.table("http")
    default = HttpSettings()
    http = http_table.read("listen", values.endpoint, Endpoint(default.host, default.port))
    http_table.close()

    wanted = [(table, "address") for table in tables] + [(http_table, "listen")]
    places = [Endpoint(tier.host, tier.port) for tier in tiers] + [http]
    _refuse_clashes(wanted, places)
    return tiers, HttpSettings(*http)


def _read_tier(table: Table, network: Network | None) -> TierSettings:
    place = table.read(
        "address", values.endpoint, _NOWHERE, required=True, remedy="write it like 127.0.0.1:3333"
    )
    difficulty = table.read("difficulty", _Difficulty(network), _TIER.difficulty)
    # A port for small miners that names its difficulty alone has not meant a floor of 1.
    floor = min(_TIER.min_difficulty, difficulty)
    min_difficulty = table.read("min_difficulty", _Difficulty(network), floor)
    vardiff = table.read("vardiff", values.boolean, _TIER.vardiff)
    max_difficulty = table.read(
        "max_difficulty", _Difficulty(network, may_be_none=True), _TIER.max_difficulty
    )

    if table.sound("difficulty", "min_difficulty") and min_difficulty > difficulty:
        fault = f"is {min_difficulty:g}, above the first difficulty of {difficulty:g}"
        table.complain("min_difficulty", fault, "lower it, or raise difficulty")
    if table.sound("difficulty", "max_difficulty") and 0 < max_difficulty < difficulty:
        fault = f"is {max_difficulty:g}, below the first difficulty of {difficulty:g}"
        table.complain("max_difficulty", fault, "raise it, or lower difficulty")
    table.close()
    return TierSettings(*place, difficulty, min_difficulty, vardiff, max_difficulty)


class _Difficulty:
    """Converter of a difficulty: what the network's unit can express, 1 or more on main.

    0 is for none, where that may be.
    """

    def __init__(self, network: Network | None, *, may_be_none: bool = False) -> None:
        self._network = network
        self._may_be_none = may_be_none

    def __call__(self, value: object) -> float:
        difficulty = values.number(0, above=not self._may_be_none)(value)
        if self._network is None or not difficulty:
            return difficulty

        lowest = self._network.scale.difficulty(1)
        highest = self._network.scale.difficulty(_MAX_WEIGHT)
        if difficulty < lowest and not self._network.is_test:
            raise Fault(f"is {shown(value)}, below 1", "fractions are for test networks only")
        if not lowest <= difficulty <= highest:
            raise Fault(f"is {shown(value)}", f"write {lowest:g} to {highest:g}")
        return difficulty


def _refuse_clashes(wanted: list[tuple[Table, str]], places: list[Endpoint]) -> None:
    """Blame whoever comes second for each port that two want."""
    for later, (table, key) in enumerate(wanted):
        if not table.sound(key):
            continue
        for earlier in range(later):
            if overlap(places[earlier], places[later]):
                owner_table, owner_key = wanted[earlier]
                fault = f"{places[later]} is taken by {owner_table.path(owner_key)}"
                table.complain(key, fault, "give each its own port")
                break


def overlap(one: Endpoint, other: Endpoint) -> bool:
    """True where a socket on one would refuse a socket on the other.

    An IPv6 wildcard leaves IPv4 alone: asyncio sets IPV6_V6ONLY on what it binds. A name other
    than localhost may be any address, so only itself and the wildcards are known to clash.
    """
    if one.port != other.port or one.port == 0:
        return False
    return any(_meet(a, b) for a in _addresses(one.host) for b in _addresses(other.host))


def _addresses(host: str) -> tuple[str, ...]:
    return ("127.0.0.1", "::1") if host.lower() == "localhost" else (host.lower(),)


def _meet(a: str, b: str) -> bool:
    if a == b:
        return True
    versions = {_version(a), _version(b)} - {0}
    return any(_WILDCARDS[version] in (a, b) for version in versions) and len(versions) < 2


def _version(host: str) -> int:
    """4 or 6, or 0 for a name."""
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return 0
