"""A Work as it outlives the process: what assembles a block on one of its jobs after a crash.

Rigs keep hashing while a pool is down, and some submit what they found when it is back. Which
difficulty each was sent has gone with the process, so such a share can't be credited; a block
can be submitted all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stratum.bitcoin.coinbase import open_coinbase
from stratum.bitcoin.target import target_from_nbits
from stratum.bitcoin.template import Template
from stratum.mining.jobs import Work


def work_to_body(work: Work) -> dict[str, Any]:
    """What a later process needs to assemble a block on one of this Work's jobs."""
    template = work.template
    return {
        "work_id": work.work_id,
        "log_index": work.log_index,
        "version": work.version,
        "version_mask": work.version_mask,
        "coinb1": work.coinbase.coinb1,
        "height": template.height,
        "prevhash": template.prevhash,
        "template_version": template.version,
        "nbits": template.nbits,
        "curtime": template.curtime,
        "mintime": template.mintime,
        "coinbasevalue": template.coinbasevalue,
        "fees": template.fees,
        "branch": list(template.branch),
        "txids": list(template.txids),
        "transactions": list(template.transactions),
        "witness_commitment": template.witness_commitment,
    }


def work_from_body(body: Mapping[str, Any], now: float) -> Work:
    """The inverse of `work_to_body`, as a Work that only its blocks are good for."""
    nbits = int(body["nbits"])
    template = Template(
        height=int(body["height"]),
        prevhash=body["prevhash"],
        version=int(body["template_version"]),
        version_required=0,
        nbits=nbits,
        network_target=target_from_nbits(nbits),
        curtime=int(body["curtime"]),
        mintime=int(body["mintime"]),
        coinbasevalue=int(body["coinbasevalue"]),
        fees=int(body["fees"]),
        transactions=tuple(body["transactions"]),
        txids=tuple(body["txids"]),
        branch=tuple(body["branch"]),
        witness_commitment=body["witness_commitment"],
        longpollid=None,
    )
    coinbase = open_coinbase(
        template.height, body["coinb1"], template.coinbasevalue, template.witness_commitment
    )
    work = Work(
        int(body["work_id"]),
        0,  # before the first generation of this process: forgotten at its second
        template,
        int(body["version"]),
        int(body["version_mask"]),
        now,
        coinbase,
        0,  # no rig is sent its jobs any more
        restored=True,
    )
    work.log_index = int(body["log_index"])
    return work
