"""The load follows the surplus: what the plant asks is decided, commanded, verified and proved.

In reading order:

    brain        `decide`: one second's facts in, commands and reasons out; pure, integers only
    economics    what a megawatt-hour earns on a rig, and the tariff at which it stops earning
    twin         rigs, meters and surpluses that behave like real ones, for rehearsals and tests
    simulation   the brain against the twin: any scenario, its scores and its plots
    journal      everything that came in, was decided and why: hash-chained, replayable
    settlement   what was ordered, metered and delivered, per interval, from the journal
    plan         a history of surplus against a fleet: hours, coins, profit, break-even

Live control, dry run, simulation and replay call the same `brain.decide`. Nothing here but
`journal` and what writes reports touches a disk, and nothing opens a socket.
"""
