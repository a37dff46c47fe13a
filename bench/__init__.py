"""How fast it is, beside a floor; and what it survives.

    share_check     one share in C, on every SHA-256 back end (row c by itself)
    floor.c         a server that answers each line and does nothing else
    node            a devnet node with a full mempool and new tips on command
    process         what /proc says of a process: CPU time, memory, children; pinning
    pool            `baseload pool`: configured, started, killed
    servers         floor, pool and rival, from start to end
    load            `baseload swarm` on its own core, and what it saw
    rows            one function per row of DESIGN's table of numbers
    table           the table, and the JSON beside it
    crash           a hundred times `kill -9` under load, and the disk filled under load
    soak            hours of bad luck
    power_table     how well the load follows a surplus: the controller against its twin

`python -m bench` runs the rows, `python -m bench.crash` the chaos, `python -m bench.power_table`
the days of a farm.
"""
