"""`baseload plan`: a history of surplus against a fleet; what it absorbs, earns and costs.

In reading order:

    inputs       every figure of a plan: value, range, unit and where it comes from
    surplus      a history of surplus, from a CSV file; what is wrong with the file, by name
    examples     four years of surplus that are made, not measured, and the rules they are made by
    tariff       the price of a megawatt-hour by hour of the day
    fleet        models and counts; a fleet sized to a fraction of the surplus
    absorb       surplus against fleet: power taken, hours, cycles
    chain        difficulty, subsidy with its halvings, and coin price, month by month
    cash         coins and money of each month; NPV, IRR, payback
    draws        what is not known, drawn a few thousand times
    verdict      the question, and one fleet's middle case with its break-even tariff
    sensitivity  what each figure does to it
    study        all of it together: candidates, percentiles, sizes
    wording      numbers and the answer in words
    charts       the figures of the report
    report       the page

This is a calculation for people: floats, months and megawatts. The controller's integers are
`stratum.power.brain`'s. Nothing here reads a clock or draws without a seed, so the same inputs
give the same report.
"""
