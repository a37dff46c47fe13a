"""One TOML file in, one frozen `PoolConfig` out, or every problem it has at once.

In reading order:

    values     what a single value may be: text, whole number, path, host:port, URL
    document   the file as TOML, or the line where it is none
    table      one table read key by key; remembers what is wrong, suggests for unknown keys
    nodes      [[node]] and where its credentials come from
    payout     [payout]
    tiers      [[listen]] and [http], and who wants a port that is taken
    pool       the whole of it; `load` is the door
    plan       what `baseload plan` reads: figures, and fleets to compare

Each subsystem owns its frozen Settings beside the code that uses them; here they are only
filled in. A library that converts (msgspec, pydantic) would stop at the first unknown key or
report in the words of its types; an operator with five mistakes wants five lines.
"""

from stratum.config.pool import PoolConfig, load

__all__ = ["PoolConfig", "load"]
