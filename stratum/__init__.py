"""baseload: a Bitcoin mining pool and farm proxy that mines on surplus power.

The program in the order to read it, bottom up. Imports point down only; `tests/test_layers.py`
proves it, and packages of one row do not know each other.

    hashing          SHA-256, whole shares, nonce search: bytes, in C (`csrc`)
    units            difficulty as an integer, and the figures people read
    errors, events   who is at fault; facts that travel up
    bitcoin          the chain: targets, merkle trees, coinbase, addresses, templates, blocks
    protocol         the wire: lines, messages, both ends' conversations
    mining           the rules of the game, without IO: jobs, sessions, vardiff, verdicts, pool
    node             the operator's Bitcoin nodes, submitted blocks, the devnet
    net              sockets: the Stratum server and the client's connection
    ledger           the append-only log of shares, jobs and accounts
    rigs             the reference miner and virtual rigs
    observability    metrics, health, the page, logs
    config           one TOML file, every problem at once
    app              the only place where the parts meet
    cli              names of commands

Follow one share through it: `net.downstream` reads bytes, `mining.session` answers lines,
`mining.judge` hashes and judges, `ledger.log` keeps the record; a block leaves through
`node.submitter` before anything is said to the rig.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("baseload")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0"
