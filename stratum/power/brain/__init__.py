"""`decide(state, inputs, settings) -> (state, commands, reasons)`: pure, once a second.

In reading order:

    values        signals, readings, orders: what comes in (`Inputs`)
    settings      what the operator decided; every default is a number N1..N28 of the reference
    fleet         the rigs as arrays, their models, firmware, feeders and owners
    state         what is remembered from second to second, one array a fact
    commands      what goes out: power per rig, and the reasons in words
    clocks        what time it is, and when the wall clock is not to be believed
    arrival       is this sample to be believed
    slots         a plan as intervals of UTC, the newer issue over the older
    counting      samples that count from our own load
    line          what each source counts as, and who leads whom
    holding       what holds when a source goes silent
    hearing       what a sample changes
    sources       all of them, tick by tick
    overrides     operators' orders, locks, the emergency latch
    arbitration   many wishes narrowed to one order
    witnesses     words with their ages, work with its sigma
    balance       meters against devices: drops, flipped signs, factors
    evidence      what they together say of each rig this second
    verdicts      the table from status, evidence and time to the next status
    escalation    the ladder for those that should sleep and do not
    learning      watts, response times and factors as the site shows them
    storm         so many failures that it is not the devices
    verification  `verify`: all of it, once a tick
    estimator     what the load is, and what it will be when all commands have worked
    feeders       the tree of caps
    observation   the first half of a tick: all of the above, in its order
    pacing        ramps, confirmation, inrush
    aiming        one goal for this second, and whether anything may rise
    fairness      what each owner has borne, and should
    ranking       in which order rigs are shed and woken
    trim          rigs that take any power between a floor and their full
    draft         the tick's commands while they are being decided
    allocation    from one goal to a command per rig
    rotation      exchanges that leave the load as it is
    sending       what is remembered of an order
    explaining    the tick in sentences
    capability    megawatts that can be promised, both ways
    dispatch      `decide` itself: the order of the above
    sites         a parent whose rigs are sites

**Integers only.** Power is whole watts, time whole milliseconds, shares of a whole are basis points
(1 % = 100 bp). Sums of integers do not depend on their order, so a replay is identical on every
machine, whatever SIMD numpy chose. Floats may rank rigs (one IEEE operation an element), they are
never summed, and no transcendental function is called here.

**Two clocks.** `now_ms` is monotonic and drives every timer; `wall_ms` is UTC and only places
schedules and samples in the day.
"""
