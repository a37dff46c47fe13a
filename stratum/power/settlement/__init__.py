"""What was ordered, metered and delivered, per interval, from the journal and nothing else.

In reading order:

    energy       watt-hours from a meter's register: roll-over, another meter, jumps, gaps
    baselines    what the load would have been
    events       one order from when it was received to when the next one came
    intervals    a minute, five or fifteen: ordered, metered, delivered, inside the surplus
    rigs         the same for each rig, as its telemetry and its shares have it
    exports      three CSV files from a journal, read once from front to back

Whole numbers throughout: watt-hours, watts times milliseconds, shares of a whole by telescoping
floors, so that the intervals' energies add up to the difference of the register, to the watt-hour.
What is not known is empty, what was made up from something else says ESTIMATED.
"""
