"""`[payout]`: who the coinbase pays.

The table already has the shape of the schemes to come; what this version can't do yet is
refused by name. A fee that is read and not taken, or taken and not meant, is someone's money.
"""

from __future__ import annotations

from stratum.bitcoin.address import AddressError, script_from_address
from stratum.bitcoin.networks import Network
from stratum.config import values
from stratum.config.descriptors import read_descriptors
from stratum.config.table import Table
from stratum.config.values import Fault, shown
from stratum.mining.settings import PayoutSettings

_SCHEMES = ("solo", "prop")
_LATER_SCHEMES = ("pplns", "pps", "fpps")
_LATER_SHARES = ("fee_bps", "reserve_bps")

_UNKNOWN_WORKER = ("operator", "refuse")

#: The scriptSig's 100 bytes less height, extranonce and their pushes leave about 80; a longer
#: tag would be cut, so that the operator's own mark is not the one in the block.
MAX_TAG_BYTES = 60

_MAX_MONEY = 21_000_000 * 100_000_000


def read_payout(root: Table, network: Network | None) -> PayoutSettings:
    """The whole table; the address is checked where the network is known."""
    table = root.table("payout")
    scheme = table.read("scheme", _scheme, "solo", required=True, remedy="solo, or prop")
    address = table.read("address", values.text, "")
    unknown_worker = table.read("unknown_worker", values.one_of(_UNKNOWN_WORKER), "operator")
    coinbase_tag = table.read("coinbase_tag", _tag, PayoutSettings("").coinbase_tag)

    if table.sound("unknown_worker", "address"):
        _check_address(table, PayoutSettings(scheme, address, unknown_worker), network)
    read_descriptors(table)  # they receive nothing while every share of theirs is 0
    _refuse_later(table)
    table.close()
    return PayoutSettings(scheme, address, unknown_worker, coinbase_tag)


def _scheme(value: object) -> str:
    if value in _LATER_SCHEMES:
        raise Fault(f"{value} is not available in this version", "use solo, or prop for one owner")
    return values.one_of(_SCHEMES)(value)


def _tag(value: object) -> str:
    tag = values.text(value)
    if not tag.isascii() or not tag.isprintable():
        raise Fault(f"is {shown(tag)}, no printable ASCII", "it stands in every block found")
    if len(tag) > MAX_TAG_BYTES:
        raise Fault(f"is {len(tag)} bytes long", f"write {MAX_TAG_BYTES} at most")
    return tag


def _check_address(table: Table, payout: PayoutSettings, network: Network | None) -> None:
    if payout.address:
        try:
            if network is not None:
                script_from_address(payout.address, network)
        except AddressError as exc:
            assert network is not None
            remedy = f"copy it again from your {network.name} wallet"
            table.complain("address", f"is {shown(payout.address)}: {exc}", remedy)
    elif payout.scheme == "prop":
        table.complain("address", "is missing", "prop pays every block to it")
    elif payout.unknown_worker == "operator":
        remedy = 'farm names mine for it; or set unknown_worker = "refuse"'
        table.complain("address", "is missing", remedy)


def _refuse_later(table: Table) -> None:
    """Refuse what would move money by rules that are not built yet."""
    table.read("min_payout", values.whole(0, _MAX_MONEY), 0)  # solo and prop pay in the coinbase
    for key in _LATER_SHARES:
        table.read(key, _no_share, 0)


def _no_share(value: object) -> int:
    if values.whole(0, 10_000)(value):
        raise Fault(
            f"is {shown(value)}; a share above 0 is not available in this version", "set it to 0"
        )
    return 0
