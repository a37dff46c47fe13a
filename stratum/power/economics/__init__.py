"""What a megawatt-hour earns on a rig, what it costs, and which rig should have it.

In reading order:

    hashprice    difficulty, subsidy, fees and coin price: what a hash is worth
    breakeven    the tariff, or the efficiency, at which mining stops paying
    currency     ISO 4217: is this code one, and how many decimals has it
    reading      a table of TOML, and everything that is wrong with it
    models       the table of rigs: power curves with their sources, measured ones over them
    tariff       what an owner pays for a MWh now: by hour, weekday, season; negative too
    tariff_table the same as an operator writes it
    market       is this coin price to be believed
    blocks       a power curve as steps that pay less and less
    ceilings     how high a rig may run under `profit`; ten minutes beyond a margin to move it
    figures      what a MWh earns, costs and wears on each rig, as arrays
    merit        all of it per rig: who keeps running, up to where, and what that loses

Pure, like the brain. What decides is integer: money in millionths of the currency, energy in MWh,
work in EH (10^18 hashes). Floats are in `hashprice`, `breakeven` and `currency`, for people and
for plans.
"""
