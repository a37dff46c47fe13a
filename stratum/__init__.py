"""baseload: a Bitcoin mining pool and farm proxy that mines on surplus power.

The program in the order to read it, bottom up. Imports point down only; `tests/test_layers.py`
proves it, and packages of one row do not know each other.

    hashing          SHA-256, shares, the submit gate, the log's slots: bytes, in C (`csrc`)
    units            difficulty as an integer, and the figures people read
    errors, events   who is at fault; facts that travel up
    bitcoin          the chain: targets, merkle trees, coinbase, addresses, templates, blocks
    protocol         the wire: lines, messages, both ends' conversations
    mining           the rules of the game, without IO: jobs, sessions, vardiff, verdicts, pool
    node             the operator's Bitcoin nodes, submitted blocks, the devnet
    net              sockets: the Stratum server and the client's connection
    ledger           the append-only log of shares, jobs and accounts; what is counted from it
    power            the load follows the surplus: decided, verified, journaled, rehearsed
    rigs             the reference miner, virtual rigs and the swarm that loads a pool
    observability    metrics, health, the page, logs
    config           one TOML file, every problem at once
    app              the only place where the parts meet
    cli              names of commands

Follow one share through it: `net.connection` has the socket write into the gate's buffer,
`mining.intake` lets the gate judge it, which writes its record into the segment that `ledger.log`
has mapped, and the answer goes out. What the gate is not sure of takes the way of `mining.session`
and `mining.judge`, with the same result; a block leaves through `node.submitter` before anything
is said to the rig. `app.books`, another process, reads the log and counts.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("baseload")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0"
