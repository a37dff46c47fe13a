"""Worker names and passwords: who is paid, and what a rig wishes for.

A name is `account.worker`, split at the first dot. Under solo the account decides who the
coinbase pays (DESIGN §8.4):

    a valid address of this network    paid itself
    nothing like an address            a farm's name: mines for `payout.address`
    like an address, but wrong         refused, whatever the settings say

The last line is why this module exists: a typing error must not send a block elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from stratum.bitcoin.address import AddressError, looks_like_address, script_from_address
from stratum.bitcoin.coinbase import payee_of
from stratum.bitcoin.networks import Network
from stratum.mining.settings import PayoutSettings
from stratum.protocol.messages import ErrorCode, Refusal

_SEPARATORS = re.compile(r"[,; ]+")
_NUMBER = re.compile(r"\d{1,30}(?:\.\d{1,30})?", re.ASCII)


class Payee:
    """Who a connection's blocks pay; `account` is the name the books use.

    `coinbase_part` is what a coinbase has of it (`bitcoin.coinbase.payee_of`), `coinbase_hex` the
    same as a job's line carries it: made once, used with every job.
    """

    __slots__ = ("account", "coinbase_hex", "coinbase_part", "script_pubkey")

    def __init__(self, account: str, script_pubkey: bytes) -> None:
        self.account = account
        self.script_pubkey = script_pubkey
        self.coinbase_part = payee_of(script_pubkey)
        self.coinbase_hex = self.coinbase_part.hex().encode()

    def named(self, account: str) -> Payee:
        """The same payee for another account; what the coinbase has of it is not made again."""
        other = Payee.__new__(Payee)
        other.account = account
        other.script_pubkey = self.script_pubkey
        other.coinbase_part = self.coinbase_part
        other.coinbase_hex = self.coinbase_hex
        return other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Payee):
            return NotImplemented
        return (self.account, self.script_pubkey) == (other.account, other.script_pubkey)

    def __hash__(self) -> int:
        return hash((self.account, self.script_pubkey))


class PayeeRule:
    """Finds the payee of an account, by scheme. Built once from the operator's settings."""

    def __init__(self, payout: PayoutSettings, network: Network) -> None:
        self._payout = payout
        self._network = network
        self._owner = (
            Payee(payout.address, script_from_address(payout.address, network))
            if payout.address
            else None
        )

    def payee(self, account: str) -> Payee:
        """Raises Refusal(24) with the reason where nobody may be paid for this account."""
        if self._payout.scheme == "solo":
            return self._solo_payee(account)
        if self._owner is None:
            raise Refusal(ErrorCode.UNAUTHORIZED, "this pool has no payout address")
        return self._owner.named(account)

    @property
    def one_account_per_connection(self) -> bool:
        """Solo pays a connection's first account: a second one there would be robbed."""
        return self._payout.scheme == "solo"

    def _solo_payee(self, account: str) -> Payee:
        if looks_like_address(account):
            try:
                script = script_from_address(account, self._network)
            except AddressError as exc:
                raise Refusal(ErrorCode.UNAUTHORIZED, f"{exc}") from exc
            # Bech32 may come in upper case, e.g. from a QR code: one account either way.
            is_segwit = account.lower().startswith(self._network.bech32_prefix + "1")
            return Payee(account.lower() if is_segwit else account, script)

        if self._owner is None or self._payout.unknown_worker == "refuse":
            raise Refusal(
                ErrorCode.UNAUTHORIZED,
                f"worker name must begin with a {self._network.name} address",
            )
        return self._owner.named(account)


@dataclass(frozen=True, slots=True)
class Wishes:
    """Difficulty wishes in a password: `d=` or `diff=` pins it, `md=` is its floor."""

    fixed: Fraction | None = None
    floor: Fraction | None = None


def read_password(password: str) -> Wishes:
    """Tokens split at comma, semicolon or blank, whole keys only; nonsense is ignored.

    `md=500` is not `d=500`: ckpool's substring search takes it for that (reference §5.8).
    """
    fixed = floor = None
    for token in _SEPARATORS.split(password):
        key, _, text = token.partition("=")
        value = Fraction(text) if _NUMBER.fullmatch(text) else None
        if not value:
            continue
        if key in ("d", "diff"):
            fixed = value
        elif key == "md":
            floor = value
    return Wishes(fixed, floor)
