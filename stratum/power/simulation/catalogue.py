"""Every scenario by its name: what power.md §7.9 and the twin's own surpluses ask for.

Three of §7.9 are not here, since they need a socket or a second process: an API that wipes pools,
addresses swapped by DHCP, and a deadman whose main loop is alive but stuck. Equality of a replay is
the journal's to show.

Most disturbances come in minute 40 of an hour: the load is settled by then, and a quarter of an
hour remains to see what becomes of it.
"""

from __future__ import annotations

from stratum.power.simulation.farms import Farm, Mix
from stratum.power.simulation.feed import Mishap, Trouble
from stratum.power.simulation.scenario import (
    HOUR,
    MINUTE,
    Absence,
    ClockJump,
    Happening,
    Scenario,
)
from stratum.power.twin.faults import (
    Ailment,
    Crash,
    Fault,
    Hang,
    Lie,
    Meddle,
    Meter,
    NoWork,
    Silence,
    Trip,
    Which,
)
from stratum.power.twin.plants import PLANTS
from stratum.power.twin.surplus import DAY, Outage

THEN = 40 * MINUTE
SITE = "site"

#: `steps` falls at the half hour and rises at the full one.
FALL, RISE = 30 * MINUTE, 60 * MINUTE

#: Half of what there is goes, in one sample, for the rest of the run.
HALF_GONE = (Outage(THEN, DAY),)


def _plant(name: str, title: str) -> Scenario:
    """A day that begins in the evening, so that the night is in one piece."""
    return Scenario(name, title, surplus=name, hours=24.0, start_hour=18)


def _fault(name: str, title: str, fault: Fault, *, surplus: str = "flat") -> Scenario:
    return Scenario(name, title, surplus=surplus, happenings=(Happening(THEN, fault),))


def _trouble(name: str, title: str, mishap: Mishap, minutes: int = 10) -> Scenario:
    return Scenario(name, title, troubles=(Trouble(THEN, THEN + minutes * MINUTE, mishap),))


def _meter(name: str, title: str, ailment: Ailment) -> Scenario:
    well = Happening(THEN + 10 * MINUTE, Meter(SITE, Ailment.WELL))
    return Scenario(name, title, happenings=(Happening(THEN, Meter(SITE, ailment)), well))


def _jump(name: str, title: str, by_ms: int) -> Scenario:
    return Scenario(name, title, jumps=(ClockJump(THEN, by_ms),))


_SCENARIOS: tuple[Scenario, ...] = (
    # -- a day of each surplus ------------------------------------------------------------------
    *(_plant(plant.name, plant.title) for plant in PLANTS),
    _plant("ou-5", "a noisy day: 5 % of the fleet, memory 10 min"),
    _plant("ou-10", "a very jumpy day: 10 % of the fleet, memory 3 min"),
    Scenario(
        "stock", "the noisy day on stock firmware, on or off", farm=Farm(Mix.STOCK, 0), hours=24
    ),
    Scenario("six", "the noisy day on six kinds of firmware", farm=Farm(Mix.SIX, 1_000), hours=24),
    Scenario("soak", "the noisy day with 10,000 rigs", rigs=10_000, hours=24.0),
    # -- the surplus itself ---------------------------------------------------------------------
    Scenario("steps", "all, nothing and all again", surplus="steps", hours=1.5),
    Scenario("sawtooth", "a surplus that nobody can follow", surplus="sawtooth"),
    Scenario("half-gone", "half of the surplus is gone in one sample", "flat", outages=HALF_GONE),
    Scenario(
        "unit-trip",
        "one of two nuclear units trips in a winter's night",
        surplus="nuclear-2x1200",
        start_hour=2,
        outages=HALF_GONE,
    ),
    Scenario(
        "refuelling",
        "one of two nuclear units is away to refuel",
        surplus="nuclear-2x1200",
        hours=24.0,
        outages=(Outage(0, 2 * DAY),),
    ),
    Scenario(
        "cap", "more surplus than the site may draw", surplus="steps", cap_bp=6_000, hours=1.5
    ),
    # -- rigs -----------------------------------------------------------------------------------
    Scenario(
        "liars",
        "30 % answer every order to sleep with a lie; then half of the surplus goes",
        surplus="flat",
        outages=HALF_GONE,
        happenings=(Happening(0, Lie(3_000)),),
    ),
    Scenario(
        "hangers",
        "10 % answer nothing for 100 s, just as half of the surplus goes",
        surplus="flat",
        outages=HALF_GONE,
        happenings=(Happening(THEN - 1, Hang(1_000)),),
    ),
    _fault("reboots", "10 % of the sleepers restart into mining", Crash(1_000, Which.ASLEEP)),
    _fault("feeder-trip", "a feeder goes dark for a minute; all of it boots", Trip("feeder-3")),
    _fault("meddler", "another controller wakes 5 % of the rigs", Meddle(500)),
    _fault(
        "silence", "20 % of the rigs send no telemetry for ten minutes", Silence(2_000, 600_000)
    ),
    Scenario("attrition", "a rig in a hundred dies every day", hours=24.0, deaths_per_rig_day=0.01),
    # -- the signal -----------------------------------------------------------------------------
    _trouble("signal-lost", "no signal for ten minutes", Mishap.GONE),
    _trouble("frozen", "the same value and heartbeat for ten minutes", Mishap.FROZEN),
    _trouble("nan", "no number for ten minutes", Mishap.NAN),
    _trouble("word-swap", "the two words of a float change places", Mishap.SWAPPED),
    _trouble("x1000", "kilowatts read as megawatts", Mishap.THOUSANDFOLD),
    _trouble("late", "samples that are two hours old", Mishap.LATE),
    _trouble("future", "samples that are ten minutes ahead", Mishap.FUTURE),
    _trouble("bad-quality", "samples that say they are bad", Mishap.BAD),
    Scenario("two-masters", "a second master wants 90 % at all times", rival_bp=9_000),
    # -- meters ---------------------------------------------------------------------------------
    _meter("meter-dead", "the meter says nothing for ten minutes", Ailment.DEAD),
    _meter("meter-flipped", "the meter's sign is wrong for ten minutes", Ailment.FLIPPED),
    _meter("meter-frozen", "the meter shows its last value for ten minutes", Ailment.FROZEN),
    # -- the controller -------------------------------------------------------------------------
    Scenario(
        "killed",
        "killed two seconds into a shed, back after five with its state",
        surplus="steps",
        absences=(Absence(FALL + 2, 5),),
    ),
    Scenario(
        "killed-forgetful",
        "killed two seconds into a shed, back after five knowing nothing",
        surplus="steps",
        absences=(Absence(FALL + 2, 5, forgets=True),),
    ),
    Scenario("restart-asleep", "starts, and nine rigs of ten are asleep", "flat", asleep_bp=9_000),
    _jump("clock-forward", "the wall clock is set an hour forward", HOUR * 1_000),
    _jump("clock-back", "the wall clock is set an hour back", -HOUR * 1_000),
    _jump("leap-second", "the wall clock repeats a second", -1_000),
    Scenario(
        "upstream-lost",
        "no work to give for ten minutes",
        surplus="flat",
        happenings=(Happening(THEN, NoWork(600_000)),),
        upstream_lost=((THEN, THEN + 600),),
    ),
)

#: Every scenario by its name, in the order of the list.
CATALOGUE: dict[str, Scenario] = {scenario.name: scenario for scenario in _SCENARIOS}
