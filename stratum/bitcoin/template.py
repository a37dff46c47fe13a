"""A node's getblocktemplate, checked and turned into the words of this program.

The RPC's keys stop here (BIP 22, 23, 145). What is not understood is refused: a pool that
guesses at a rule mines blocks that nobody wants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import hashing
from stratum.bitcoin.merkle import coinbase_branch, merkle_root
from stratum.bitcoin.networks import RETARGET_INTERVAL, Network, subsidy
from stratum.bitcoin.target import internal, target_from_nbits
from stratum.bitcoin.transaction import Reader, read_transaction

#: What we tell the node we know; a rule the node marks with `!` and we lack ends the template.
KNOWN_RULES = ("segwit", "signet", "csv", "taproot", "testdummy")

#: BIP 141: the coinbase's witness reserved value follows the witness root in the commitment.
_COMMITMENT_HEADER = bytes.fromhex("6a24aa21a9ed")

_OP_TRUE = b"\x51"


class TemplateError(ValueError):
    """The template can't be mined on; the message says what is wrong, for the operator."""


@dataclass(frozen=True, slots=True)
class Template:
    """One template. Hashes internal, amounts in sats, times in seconds of Unix time."""

    height: int
    prevhash: bytes
    version: int
    version_required: int  # bits the node wants kept as they are (vbrequired)
    nbits: int
    network_target: int
    curtime: int
    mintime: int
    coinbasevalue: int
    fees: int
    transactions: tuple[bytes, ...]  # serialized with witness
    txids: tuple[bytes, ...]
    branch: tuple[bytes, ...]
    witness_commitment: bytes  # scriptPubKey; empty where segwit is not active
    longpollid: str | None

    @property
    def is_empty(self) -> bool:
        return not self.transactions


def parse_template(reply: dict[str, Any], network: Network) -> Template:
    """Check a getblocktemplate reply. Raises TemplateError with a sentence for the operator."""
    try:
        return _parse(reply, network)
    except (KeyError, TypeError, ValueError, OverflowError) as exc:
        if isinstance(exc, TemplateError):
            raise
        what = f"lacks {exc}" if isinstance(exc, KeyError) else str(exc)
        raise TemplateError(f"block template is not usable: {what}") from exc


def _parse(reply: dict[str, Any], network: Network) -> Template:
    rules = [str(rule) for rule in reply.get("rules", [])]
    _check_rules(rules, network)
    _check_signet(reply)

    nbits = int(reply["bits"], 16)
    target = target_from_nbits(nbits)
    if int(reply.get("target", f"{target:064x}"), 16) != target:
        raise TemplateError(f"target {reply['target']} does not belong to bits {reply['bits']}")

    entries = reply["transactions"]
    transactions = tuple(bytes.fromhex(entry["data"]) for entry in entries)
    txids = tuple(internal(entry.get("txid", entry.get("hash"))) for entry in entries)
    commitment = b""
    if "segwit" in rules or "!segwit" in rules:
        commitment = _commitment(reply, transactions)

    return Template(
        height=int(reply["height"]),
        prevhash=internal(reply["previousblockhash"]),
        version=int(reply["version"]) & 0xFFFFFFFF,
        version_required=int(reply.get("vbrequired", 0)) & 0xFFFFFFFF,
        nbits=nbits,
        network_target=target,
        curtime=int(reply["curtime"]),
        mintime=int(reply["mintime"]),
        coinbasevalue=int(reply["coinbasevalue"]),
        fees=sum(int(entry.get("fee", 0)) for entry in entries),
        transactions=transactions,
        txids=txids,
        branch=tuple(coinbase_branch(txids)),
        witness_commitment=commitment,
        longpollid=reply.get("longpollid"),
    )


def _check_rules(rules: list[str], network: Network) -> None:
    demanded = [rule[1:] for rule in rules if rule.startswith("!")]
    unknown = [rule for rule in demanded if rule not in KNOWN_RULES]
    if unknown:
        raise TemplateError(
            f"the node demands the rule {', '.join(unknown)}, which this version does not know; "
            "upgrade baseload"
        )
    # Segwit is buried everywhere but on a young regtest of some node software (bcoin: 432).
    if network.name != "regtest" and not {"segwit", "!segwit"} & set(rules):
        raise TemplateError(
            "the node's template has no segwit rule: its blocks would leave out every segwit "
            "transaction; use a node with BIP 145"
        )


def _check_signet(reply: dict[str, Any]) -> None:
    challenge = reply.get("signet_challenge")
    if challenge is not None and bytes.fromhex(challenge) != _OP_TRUE:
        raise TemplateError(
            "this signet signs its blocks (BIP 325): it can't be mined through Stratum, only a "
            "signet whose challenge is OP_TRUE can"
        )


def _commitment(reply: dict[str, Any], transactions: tuple[bytes, ...]) -> bytes:
    given = reply.get("default_witness_commitment")
    if given is not None:
        return bytes.fromhex(given)
    wtxids = [read_transaction(Reader(data)).wtxid for data in transactions]
    return witness_commitment(wtxids)


def witness_commitment(wtxids: list[bytes]) -> bytes:
    """scriptPubKey of the BIP 141 commitment; `wtxids` are those after the coinbase."""
    root = merkle_root([bytes(32), *wtxids])
    return _COMMITMENT_HEADER + hashing.sha256d(root + bytes(32))


def empty_successor(
    template: Template, tip: bytes, mintime: int, now: int, network: Network
) -> Template | None:
    """The template of an empty block on `tip`, a block that extends `template`'s own parent.

    Made without asking the node, so that rigs leave the old tip at once (DESIGN §8.3). None
    where the next height may have another target: only main and regtest have none but at a
    retarget; testnet4's 20-minute rule and signets are left to the full template. None too
    where the template does not pay the subsidy and its fees: a regtest has rules of its own, or
    the node left fees out, which BIP 22 calls unknown and not zero. The caller has checked that
    the tip's parent is `template.prevhash`.
    """
    height = template.height + 1
    if network.name not in ("main", "regtest") or height % RETARGET_INTERVAL == 0:
        return None
    if template.coinbasevalue - template.fees != subsidy(template.height, network.halving_interval):
        return None

    return Template(
        height=height,
        prevhash=tip,
        version=template.version,
        version_required=template.version_required,
        nbits=template.nbits,
        network_target=template.network_target,
        curtime=max(now, mintime),
        mintime=mintime,
        coinbasevalue=subsidy(height, network.halving_interval),
        fees=0,
        transactions=(),
        txids=(),
        branch=(),
        witness_commitment=witness_commitment([]) if template.witness_commitment else b"",
        longpollid=None,
    )
