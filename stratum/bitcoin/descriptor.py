"""Output descriptors, as far as they can be judged by themselves.

A descriptor says where money goes, so it must carry its checksum and the checksum must fit. It is
compared here because embit, which reads descriptors, takes a wrong one in silence. It also takes
private keys, which have no business in a pool (ledger.md §4.5).
"""

from __future__ import annotations

import re

from embit.descriptor import checksum as embit_checksum
from embit.descriptor.errors import DescriptorError as EmbitDescriptorError

#: Extended private keys of main and test networks (BIP 32).
_PRIVATE = re.compile(r"\b[xt]prv")


class DescriptorError(ValueError):
    """The text is no descriptor to trust; the message says why and never shows it."""


def checked_descriptor(text: str) -> str:
    """The descriptor without its checksum, hardened steps written as h, once the checksum fits.

    Raises DescriptorError. No message shows the descriptor: its public keys tell whoever reads
    the log everything its wallet ever receives.
    """
    body, mark, given = text.partition("#")
    if _PRIVATE.search(body):
        raise DescriptorError("holds a private key")
    if not mark:
        raise DescriptorError("has no checksum")
    try:
        fits = embit_checksum.checksum(body) == given
    except EmbitDescriptorError:
        fits = False
    if not body or not fits:
        raise DescriptorError("does not fit its checksum")
    return body.replace("'", "h")
