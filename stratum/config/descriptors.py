"""The output descriptors of `[payout]`: checked now, used by the schemes to come.

A descriptor says where money goes, so each must carry its checksum and the checksum must fit. It
is compared here because embit, which reads descriptors later, takes a wrong one in silence. It
also takes private keys, which have no business in a pool's config. No message shows a descriptor:
its public keys tell whoever reads the log everything its wallet ever receives.
"""

from __future__ import annotations

import re

from embit.descriptor.checksum import checksum
from embit.descriptor.errors import DescriptorError

from stratum.config import values
from stratum.config.table import Table
from stratum.config.values import Fault

KEYS = ("fee_descriptor", "reserve_descriptor", "carry_descriptor")

#: Extended private keys of main and test networks (BIP 32).
_PRIVATE = re.compile(r"\b[xt]prv")

_COPY = "copy it again, checksum and all; getdescriptorinfo shows it"


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
    """A descriptor without its checksum, hardened steps written as h, once the checksum fits."""
    written = values.text(value)
    body, mark, given = written.partition("#")
    if _PRIVATE.search(body):
        raise Fault("holds a private key", "write the descriptor with the public key")
    if not mark:
        raise Fault("has no checksum", _COPY)
    try:
        fits = checksum(body) == given
    except DescriptorError:
        fits = False
    if not body or not fits:
        raise Fault("does not fit its checksum", _COPY)
    return body.replace("'", "h")
