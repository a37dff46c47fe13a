"""The brain against the twin on a virtual clock: any scenario, its scores and its plots.

In reading order:

    farms       fleets to rehearse with: sizes, firmware mixes, trim groups, feeders
    feed        the plant's surplus as a signal, and what can befall a signal
    scenario    a farm, a surplus, faults at their times, settings
    catalogue   every scenario by its name
    run         second by second: read, decide, step; and what happened
    score       errors, energy missed and overdrawn, cycles, times of response
    plots       one HTML page that needs nothing else
    report      the same for a terminal

`decide` is handed in: the simulation knows its shape and not its module.
"""
