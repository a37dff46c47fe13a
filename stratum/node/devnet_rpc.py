"""What the devnet answers: the JSON-RPC methods of a full node that a pool asks, as data.

The names, fields and error codes are Bitcoin Core's, so that a program tried against this node
meets no surprise at a real one. No socket here: a method and its parameters go in, a result or an
RpcFault comes out. `devnet.py` is the server around it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from stratum.bitcoin.block import parse_block
from stratum.bitcoin.networks import REGTEST, subsidy
from stratum.bitcoin.target import difficulty_of_target, display, internal, target_from_nbits
from stratum.bitcoin.template import witness_commitment
from stratum.node.devnet_chain import MAX_BLOCK_WEIGHT, DevChain, Entry, KnownTransaction
from stratum.node.devnet_mempool import DevMempool
from stratum.node.rpc import (
    RPC_DESERIALIZATION_ERROR,
    RPC_INVALID_ADDRESS_OR_KEY,
    RPC_INVALID_PARAMETER,
    RPC_METHOD_NOT_FOUND,
)

#: What Core leaves for the coinbase and the header (DEFAULT_BLOCK_RESERVED_WEIGHT).
_RESERVED_WEIGHT = 8_000

_DAY_S = 86_400
_BLOCK_VERSION = 0x20000000


class RpcFault(Exception):
    """A JSON-RPC error object."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class DevRpc:
    """The methods over one chain and one mempool; `clock` gives Unix time."""

    def __init__(self, chain: DevChain, mempool: DevMempool, clock: Callable[[], float]) -> None:
        self.chain = chain
        self.mempool = mempool
        self._clock = clock
        self._methods: dict[str, Callable[..., Any]] = {
            "getblocktemplate": self.getblocktemplate,
            "submitblock": self.submitblock,
            "getbestblockhash": self.getbestblockhash,
            "getblockcount": self.getblockcount,
            "getblockhash": self.getblockhash,
            "getblockheader": self.getblockheader,
            "getblock": self.getblock,
            "getblockchaininfo": self.getblockchaininfo,
        }

    def call(self, method: str, params: list[Any]) -> Any:
        """Answer one call. Raises RpcFault."""
        answer = self._methods.get(method)
        if answer is None:
            raise RpcFault(RPC_METHOD_NOT_FOUND, "Method not found")
        try:
            return answer(*params)
        except TypeError as exc:
            raise RpcFault(RPC_INVALID_PARAMETER, f"{method}: wrong parameters") from exc

    def longpollid(self) -> str:
        """Names the tip and what the mempool has seen, as Core's does."""
        return display(self.chain.tip.block_hash) + str(len(self.mempool.known))

    def getblocktemplate(self, request: dict[str, Any] | None = None) -> Any:
        request = request or {}
        if request.get("mode", "template") == "proposal":
            return self.chain.propose(_block_bytes(request.get("data")), self._clock())
        if "segwit" not in request.get("rules", []):
            raise RpcFault(
                RPC_INVALID_PARAMETER,
                "getblocktemplate must be called with the segwit rule set "
                '(call with {"rules": ["segwit"]})',
            )
        return self._template()

    def submitblock(self, data: str, _dummy: Any = None) -> str | None:
        try:
            return self.chain.submit(_block_bytes(data), self._clock())
        finally:
            self.mempool.settle(self.chain)

    def getbestblockhash(self) -> str:
        return display(self.chain.tip.block_hash)

    def getblockcount(self) -> int:
        return self.chain.tip.height

    def getblockhash(self, height: int) -> str:
        entry = self.chain.at(height)
        if entry is None:
            raise RpcFault(RPC_INVALID_PARAMETER, "Block height out of range")
        return display(entry.block_hash)

    def getblockheader(self, block_hash: str, verbose: bool = True) -> Any:
        entry = self._entry(block_hash)
        return self._describe(entry) if verbose else entry.header.serialize().hex()

    def getblock(self, block_hash: str, verbosity: int = 1) -> Any:
        entry = self._entry(block_hash)
        if not verbosity:
            return entry.serialized.hex()
        listed = {"tx": [display(txid) for txid in entry.txids], "size": len(entry.serialized)}
        return self._describe(entry) | listed

    def getblockchaininfo(self) -> dict[str, Any]:
        tip = self.chain.tip
        return {
            "chain": REGTEST.chain,
            "blocks": tip.height,
            "headers": tip.height,
            "bestblockhash": display(tip.block_hash),
            "difficulty": difficulty_of_target(self.chain.target),
            "time": tip.header.ntime,
            "mediantime": tip.mediantime,
            "verificationprogress": 1.0,
            # True on a fresh regtest, although it gives templates: not a sign to go by.
            "initialblockdownload": tip.header.ntime < self._clock() - _DAY_S,
            "chainwork": f"{tip.work:064x}",
            "pruned": False,
            "warnings": "",
        }

    def _entry(self, block_hash: str) -> Entry:
        try:
            entry = self.chain.get(internal(block_hash))
        except (TypeError, ValueError) as exc:
            raise RpcFault(RPC_INVALID_PARAMETER, "hash must be of length 64") from exc
        if entry is None:
            raise RpcFault(RPC_INVALID_ADDRESS_OR_KEY, "Block not found")
        return entry

    def _describe(self, entry: Entry) -> dict[str, Any]:
        header = entry.header
        described: dict[str, Any] = {
            "hash": display(entry.block_hash),
            "confirmations": self.chain.confirmations(entry),
            "height": entry.height,
            "version": header.version,
            "versionHex": f"{header.version:08x}",
            "merkleroot": display(header.merkle_root),
            "time": header.ntime,
            "mediantime": entry.mediantime,
            "nonce": header.nonce,
            "bits": f"{header.nbits:08x}",
            "difficulty": difficulty_of_target(target_from_nbits(header.nbits)),
            "chainwork": f"{entry.work:064x}",
            "nTx": len(entry.txids),
        }
        if entry.height:
            described["previousblockhash"] = display(header.prevhash)
        following = self.chain.at(entry.height + 1)
        if following is not None and described["confirmations"] > 0:
            described["nextblockhash"] = display(following.block_hash)
        return described

    def _template(self) -> dict[str, Any]:
        now = int(self._clock())
        self.mempool.grow(now)
        tip, height = self.chain.tip, self.chain.tip.height + 1
        chosen = self.mempool.waiting(self.chain, MAX_BLOCK_WEIGHT - _RESERVED_WEIGHT)
        fees = sum(transaction.fee for transaction in chosen)
        return {
            "capabilities": ["proposal"],
            "version": _BLOCK_VERSION,
            "rules": ["csv", "!segwit", "taproot"],
            "vbavailable": {},
            "vbrequired": 0,
            "previousblockhash": display(tip.block_hash),
            "transactions": _listed(chosen),
            "coinbaseaux": {},
            "coinbasevalue": subsidy(height, REGTEST.halving_interval) + fees,
            "longpollid": self.longpollid(),
            "target": f"{self.chain.target:064x}",
            "mintime": tip.mediantime + 1,
            "mutable": ["time", "transactions", "prevblock"],
            "noncerange": "00000000ffffffff",
            "sigoplimit": 80_000,
            "sizelimit": MAX_BLOCK_WEIGHT,
            "weightlimit": MAX_BLOCK_WEIGHT,
            "curtime": max(now, tip.mediantime + 1),
            "bits": f"{self.chain.nbits:08x}",
            "height": height,
            "default_witness_commitment": witness_commitment([one.wtxid for one in chosen]).hex(),
        }


def _listed(chosen: list[KnownTransaction]) -> list[dict[str, Any]]:
    place = {transaction.txid: index for index, transaction in enumerate(chosen, start=1)}
    return [
        {
            "data": one.serialized.hex(),
            "txid": display(one.txid),
            "hash": display(one.wtxid),
            "depends": [place[txid] for txid in one.depends if txid in place],
            "fee": one.fee,
            "sigops": 4,
            "weight": one.weight,
        }
        for one in chosen
    ]


def _block_bytes(data: Any) -> bytes:
    """The hex of a block. Raises RpcFault as Core does where it can't be decoded."""
    try:
        block = bytes.fromhex(data)
        parse_block(block)
    except (TypeError, ValueError) as exc:
        raise RpcFault(RPC_DESERIALIZATION_ERROR, "Block decode failed") from exc
    return block


def encode(identity: Any, result: Any, fault: RpcFault | None) -> bytes:
    """A JSON-RPC 1.0 reply."""
    error = None if fault is None else {"code": fault.code, "message": fault.message}
    return json.dumps({"result": result, "error": error, "id": identity}).encode()
