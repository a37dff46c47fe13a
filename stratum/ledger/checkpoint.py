"""A checkpoint: the log's size and root at one moment, signed.

It is a C2SP signed note (tlog-checkpoint, signed-note): a few lines of text, an empty one, then a
line for each signature. Whoever holds an earlier one can be shown that nothing before it has
changed since, and two people can see that they were told the same.

    example.org/log                       origin
    20852163                              how many records
    <base64 of the 32-byte root>          RFC 6962's root over their leaves

    — example.org/log <base64>            4 bytes of key id, then the Ed25519 signature

Signatures of keys that one does not know, a witness's above all, are left alone. One by a key that
one does know and that is wrong spoils the note.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

#: Of a note; a longer one is somebody's joke (golang.org/x/mod/sumdb/note refuses it too).
_MAX_SIGNATURES = 100

_ED25519 = b"\x01"  # signature types of signed-note
_KEY_ID_SIZE = 4
_ROOT_SIZE = 32

_NAME = re.compile(r"[^\s+]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,19}")
_SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+=*)")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is signed: of which log, how many records, and the root over them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Extension lines are left alone. Raises ValueError."""
        lines = text.split("\n")
        if len(lines) < 4 or not all(lines[:-1]):
            raise ValueError("checkpoint has fewer than three lines, or an empty one")
        origin, size, root = lines[:3]
        if not _SIZE.fullmatch(size):
            raise ValueError(f"checkpoint's size is {size!r}, expected a decimal number")
        return cls(origin, int(size), _decoded(root, _ROOT_SIZE, "checkpoint's root"))


class Verifier:
    """A public key under its name: what somebody who checks a note has to know."""

    def __init__(self, name: str, public_key: bytes) -> None:
        """Raises ValueError for a name that a note can't carry, or what is no key."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"key name is {name!r}, expected no spaces and no '+'")
        self.name = name
        self.public_key = public_key
        self.key_id = hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[
            :_KEY_ID_SIZE
        ]
        self._key = Ed25519PublicKey.from_public_bytes(public_key)

    def __str__(self) -> str:
        """As people publish it: name, key id, key."""
        return f"{self.name}+{self.key_id.hex()}+{_base64(_ED25519 + self.public_key)}"

    def verifies(self, text: str, signature: bytes) -> bool:
        try:
            self._key.verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class Signer:
    """A private key under its name."""

    def __init__(self, name: str, seed: bytes) -> None:
        """`seed` is the private key of RFC 8032, 32 bytes. Raises ValueError."""
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = Verifier(name, self._key.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """A note of this text, with our signature. The text ends with a newline."""
        assert text.endswith("\n"), "a note's text is whole lines"
        signature = self.verifier.key_id + self._key.sign(text.encode())
        return f"{text}\n— {self.verifier.name} {_base64(signature)}\n"


def open_note(note: str, verifiers: Sequence[Verifier]) -> str:
    """The text of a note, of which at least one known key has signed. Raises ValueError."""
    if _CONTROL.search(note):
        raise ValueError("note has control characters")
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise ValueError("note has no signatures")
    text += "\n"
    lines = signatures[:-1].split("\n")
    if len(lines) > _MAX_SIGNATURES:
        raise ValueError(f"note has {len(lines)} signatures, at most {_MAX_SIGNATURES} are read")

    known = {(one.name, one.key_id): one for one in verifiers}
    verified = 0
    for line in lines:
        name, key_id, signature = _signature(line)
        verifier = known.get((name, key_id))
        if verifier is None:
            continue
        if not verifier.verifies(text, signature):
            raise ValueError(f"the signature of {name} is wrong")
        verified += 1
    if not verified:
        raise ValueError("no known key has signed the note")
    return text


def _signature(line: str) -> tuple[str, bytes, bytes]:
    """Key name, key id, and what the key's type says of the rest."""
    match = _SIGNATURE.fullmatch(line)
    if not match:
        raise ValueError(f"{line!r} is no signature line")
    data = _decoded(match[2], None, "signature")
    if len(data) <= _KEY_ID_SIZE:
        raise ValueError(f"signature is {len(data)} bytes")
    return match[1], data[:_KEY_ID_SIZE], data[_KEY_ID_SIZE:]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decoded(text: str, size: int | None, what: str) -> bytes:
    """RFC 4648 §4 with padding, and only the one spelling of it."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ValueError(f"{what} is no base64: {text!r}") from exc
    if _base64(data) != text or size not in (None, len(data)):
        raise ValueError(f"{what} is no base64 of {size or 'some'} bytes: {text!r}")
    return data
