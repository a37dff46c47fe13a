"""The output descriptors of `[payout]`: checked now, used by the schemes to come."""

from __future__ import annotations

from stratum.bitcoin.descriptor import DescriptorError, checked_descriptor
from stratum.config import values
from stratum.config.table import Table
from stratum.config.values import Fault

KEYS = ("fee_descriptor", "reserve_descriptor", "carry_descriptor")

_REMEDY = "copy it again, with public keys and checksum; getdescriptorinfo shows it"


def read_descriptors(table: Table) -> None:
    """Check those that are there: each by itself, and that no two are the same."""
    seen: dict[str, str] = {}
    for key in KEYS:
        body = table.read(key, descriptor, "")
        if not body:
            continue
        if body in seen:
            remedy = "fees, reserve and clients' money must stay apart"
            table.complain(key, f"is the same as {seen[body]}", remedy)
        seen.setdefault(body, key)


def descriptor(value: object) -> str:
    """A descriptor without its checksum, as `bitcoin.descriptor` judges it."""
    try:
        return checked_descriptor(values.text(value))
    except DescriptorError as exc:
        raise Fault(str(exc), _REMEDY) from exc
