"""A load generator: thousands of virtual rigs in one process on one core.

    settings       what to do, and against whom
    dialects       how each kind of firmware says it
    conversation   what a rig says and hears besides jobs and shares
    links          the sockets: connect, read, write, lose
    pace           when a rig's next share is due
    run            ramp up, measure, drain
    report         what came of it, in the field's words

What happens per share is in C (`hashing.SwarmCore`): a read of a socket is one call, and what it
returns is one send. Shares here are good but make no claim on work: at a test network's lowest
difficulty nearly any hash is one. For rigs that hash at a given speed see `rigs.virtual`.
"""

from stratum.rigs.swarm.dialects import DIALECTS, Dialect
from stratum.rigs.swarm.report import Report
from stratum.rigs.swarm.run import Progress, Swarm
from stratum.rigs.swarm.settings import SwarmSettings

__all__ = ["DIALECTS", "Dialect", "Progress", "Report", "Swarm", "SwarmSettings"]
