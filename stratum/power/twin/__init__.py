"""Rigs, meters and surpluses that behave like real ones, for rehearsals and tests.

In reading order:

    firmware   six kinds: what the brain is told of them, and what they truly do
    faults     what can go wrong, as values
    rigs       the fleet as arrays: power, obedience, boots, lies, failures
    work       the shares that true hashing brings
    meter      watts and a register at a feeder; and its own ways to fail
    world      all of it, second by second: commands in, readings out
    surplus    what a plant has to give, with the origin of every figure

Seeded and without a clock: the same seed and the same commands give the same world. The brain sees
only what `world.Twin.read` hands out: late, noisy, sometimes false. The truth is for the score.

Floats are allowed here: nothing in this package is replayed, only what the brain saw of it.
"""
