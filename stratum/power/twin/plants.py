"""Plants whose surplus has a physical reason: nuclear, hydro, geothermal, wind, solar, an ISO.

Figures carry their source: a public page, or what people of the trade know and nobody here has
checked. An assumed one has a range, and nothing that rests on it is more than a rehearsal.

`baseload plan` has examples of the same names, which are years at 15 minutes and made by rules of
their own: `stratum.power.plan.examples` says where the two differ, and why.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stratum.power.brain.values import Kind
from stratum.power.figures import Given, certain
from stratum.power.processes import normal_below, wander
from stratum.power.twin.rigs import Floats
from stratum.power.twin.surplus import (
    HOUR,
    TESTS,
    Process,
    Span,
    smooth,
)

#: Demand by the hour, part of the day's mean: a northern system's working day (assumed; the ratio
#: of valley to peak, 0.66, may lie between 0.6 and 0.75).
_DEMAND = (
    *(0.84, 0.80, 0.78, 0.77, 0.77, 0.79, 0.86, 0.96, 1.05, 1.09, 1.10, 1.09),
    *(1.08, 1.07, 1.06, 1.06, 1.07, 1.10, 1.15, 1.16, 1.13, 1.07, 0.99, 0.91),
)


def _by_hour(span: Span, table: tuple[float, ...]) -> Floats:
    found: Floats = np.interp(span.hour, np.arange(25.0), np.array([*table, table[0]]))
    return found


# -- nuclear --------------------------------------------------------------------------------


def _nuclear(given: Mapping[str, float], span: Span, rng: np.random.Generator) -> Floats:
    """What must run less what is needed: reactors and the heat season's cogeneration at night."""
    net = given["unit gross"] * (1.0 - given["house load"])
    units: Floats = np.maximum(given["units"] - span.away, 0.0) * net
    season: Floats = (1.0 + span.winter) / 2.0
    heat = given["must-run, summer"] + season * (
        given["must-run, heat season"] - given["must-run, summer"]
    )
    mean = given["energy a year"] * 1e6 / 8_760.0
    demand = mean * (1.0 + given["winter above mean"] * span.winter) * _by_hour(span, _DEMAND)
    demand *= 1.0 + wander(rng, span.seconds, given["demand noise"], given["noise memory"])
    boilers = given["electric boilers"] * given["boilers in use"] * season
    spare: Floats = units + heat - demand
    return spare - np.minimum(np.maximum(spare, 0.0), boilers)


NUCLEAR = Process(
    "nuclear-2x1200",
    "two units of 1,200 MW in a system with much cogeneration: surplus in the nights of winter",
    600.0,
    {
        "units": certain(2.0, "", "public page: neimagazine.com, Belarus NPP: two VVER-1200"),
        "unit gross": certain(1_200.0, "MW", "the same page: 2,400 MW together"),
        "house load": Given(0.07, "of gross", "assumed", 0.05, 0.08),
        "energy a year": certain(
            41.1, "TWh", "public page: energo-cis.ru: demand of Belarus in 2023"
        ),
        "winter above mean": Given(0.12, "of demand", "assumed", 0.08, 0.18),
        "must-run, heat season": Given(
            2_400.0,
            "MW",
            "assumed; cogeneration is the base of that system and stays on at night, public page: "
            "BelTA 23.10.2013",
            1_800.0,
            3_000.0,
        ),
        "must-run, summer": Given(700.0, "MW", "assumed", 400.0, 1_000.0),
        "electric boilers": certain(
            916.0, "MW", "public page: BelTA 23.7.2020, built for the surplus"
        ),
        "boilers in use": Given(0.25, "of them", "assumed", 0.0, 1.0),
        "demand noise": Given(0.004, "of demand", "assumed", 0.002, 0.01),
        "noise memory": Given(900.0, "s", "assumed", 300.0, 1_800.0),
    },
    _nuclear,
)

# -- hydro, geothermal ----------------------------------------------------------------------


def _hydro(given: Mapping[str, float], span: Span, rng: np.random.Generator) -> Floats:
    part = np.minimum(span.of_run / (given["rise"] * HOUR), 1.0)
    spill = given["first"] + part * (given["last"] - given["first"])
    spill -= given["evening"] * np.maximum(np.cos(2.0 * np.pi * (span.hour - 20.0) / 24.0), 0.0)
    inflow = 1.0 + wander(rng, span.seconds, given["inflow noise"], given["inflow memory"])
    load = wander(rng, span.seconds, given["load noise"], given["load memory"])
    return np.maximum(spill, 0.0) * inflow + load - span.away * given["machine"]


HYDRO = Process(
    "hydro-100-to-600",
    "spill that rises from 100 to 600 MW as the rains come, less what evenings need",
    600.0,
    {
        "first": certain(100.0, "MW", "the case's own"),
        "last": certain(
            600.0,
            "MW",
            "the case's own; Ethiopia's miners took about 600 MW of surplus hydro at 3.2 US cents, "
            "public page: atlas21.com",
        ),
        "rise": Given(
            24.0, "h", "a season (10-60 days, assumed) pressed into a day", 24.0, 1_440.0
        ),
        "evening": Given(40.0, "MW", "assumed", 0.0, 100.0),
        "inflow noise": Given(0.02, "of the spill", "assumed", 0.01, 0.05),
        "inflow memory": Given(3_600.0, "s", "assumed", 1_800.0, 14_400.0),
        "load noise": Given(6.0, "MW", "assumed: 1 % of the last", 3.0, 12.0),
        "load memory": Given(180.0, "s", "assumed", 60.0, 600.0),
        "machine": Given(100.0, "MW", "assumed: one set of the station", 50.0, 200.0),
    },
    _hydro,
)


def _geothermal(given: Mapping[str, float], span: Span, rng: np.random.Generator) -> Floats:
    cool = given["cool air"] * np.cos(2.0 * np.pi * (span.hour - 4.0) / 24.0)
    noise = wander(rng, span.seconds, given["noise"], given["noise memory"])
    return given["spare"] * (1.0 + cool + noise) - span.away * given["well"]


GEOTHERMAL = Process(
    "geothermal",
    "steam that nobody buys: flat, a little more in cool air",
    100.0,
    {
        "spare": Given(
            90.0,
            "MW",
            "assumed; plants ran 73 % of the time on average, public page: EIA for 2022 at "
            "globalenergyprize.org: a quarter of what is installed",
            50.0,
            100.0,
        ),
        "cool air": Given(
            0.02,
            "of it",
            "assumed; output moves with the air's temperature by day and season where it cools the "
            "plant, public page: NREL ATB 2020, and is flat otherwise",
            0.0,
            0.08,
        ),
        "noise": Given(0.003, "of it", "assumed", 0.001, 0.01),
        "noise memory": Given(600.0, "s", "assumed", 60.0, 3_600.0),
        "well": Given(
            15.0,
            "MW",
            "assumed: one wellhead unit; 10-15 MW, public page: scribd 274248606",
            10.0,
            15.0,
        ),
    },
    _geothermal,
)


# -- wind, solar ----------------------------------------------------------------------------


def _wind(given: Mapping[str, float], span: Span, rng: np.random.Generator) -> Floats:
    """Curtailed wind: what a farm makes above what its line takes away."""
    calm = wander(rng, span.seconds, 1.0, given["memory"] * HOUR)
    # A Gaussian turned into a Weibull of shape 2: speed² is exponential.
    below = normal_below(calm)
    speed = given["mean speed"] * 2.0 / np.sqrt(np.pi) * np.sqrt(-np.log1p(-below))
    gusts = wander(rng, span.seconds, given["turbulence"], given["gust memory"])
    speed = np.maximum(speed * (1.0 + gusts), 0.0)
    start, full, stop = given["cut-in"], given["rated speed"], given["cut-out"]
    part = np.clip((speed**3 - start**3) / (full**3 - start**3), 0.0, 1.0)
    made = given["farm"] * smooth(np.where(speed > stop, 0.0, part), int(given["farm width"]))
    return made - given["line"]


WIND = Process(
    "wind",
    "what a wind farm makes above what its line can carry",
    100.0,
    {
        "farm": Given(200.0, "MW", "assumed", 50.0, 500.0),
        "line": Given(100.0, "MW", "assumed: half of the farm", 50.0, 160.0),
        "mean speed": Given(9.0, "m/s", "assumed, a good site; Weibull of shape 2", 7.0, 10.0),
        "memory": Given(
            6.0,
            "h",
            "assumed; exponentially decaying autocorrelation, public page: arXiv:1511.02345",
            2.0,
            24.0,
        ),
        "turbulence": Given(0.08, "of the speed", "assumed for a whole farm", 0.04, 0.15),
        "gust memory": Given(60.0, "s", "assumed", 20.0, 300.0),
        "farm width": Given(120.0, "s", "assumed: a gust crosses 1 km at 8 m/s", 60.0, 600.0),
        "cut-in": certain(3.0, "m/s", "trade knowledge, unchecked"),
        "rated speed": certain(12.0, "m/s", "trade knowledge, unchecked"),
        "cut-out": certain(25.0, "m/s", "trade knowledge, unchecked"),
    },
    _wind,
)


def _solar(given: Mapping[str, float], span: Span, rng: np.random.Generator) -> Floats:
    """Curtailed sun: a plant under broken clouds above what its line takes away."""
    height = np.maximum(np.sin(np.pi * (span.hour - 6.0) / 12.0), 0.0)
    shade = 1.0 - given["shade"] * _cloudy(given, span.seconds, rng)
    made = given["plant"] * height * smooth(shade, int(given["plant width"]))
    return made - given["line"]


def _cloudy(given: Mapping[str, float], seconds: int, rng: np.random.Generator) -> Floats:
    """1 under a cloud: exponential times of sun and shade in turn."""
    covered = np.zeros(seconds)
    at = rng.exponential(given["sun"])
    while at < seconds:
        ends = at + rng.exponential(given["cloud"])
        covered[int(at) : int(ends)] = 1.0
        at = ends + rng.exponential(given["sun"])
    return covered


SOLAR = Process(
    "solar",
    "what a solar plant makes above what its line can carry, under broken clouds",
    60.0,
    {
        "plant": Given(100.0, "MW", "assumed", 20.0, 300.0),
        "line": Given(40.0, "MW", "assumed", 20.0, 80.0),
        "shade": Given(0.7, "of the light", "assumed", 0.4, 0.8),
        "sun": Given(900.0, "s", "assumed, mean time between clouds", 300.0, 3_600.0),
        "cloud": Given(300.0, "s", "assumed, mean time of a cloud", 60.0, 900.0),
        "plant width": Given(
            90.0,
            "s",
            "so that a minute changes at most 47 % of the plant: 0.43 to 0.53 were the largest at "
            "80 and 48 MW, public page: doi:10.1002/pip.2302",
            60.0,
            180.0,
        ),
    },
    _solar,
)


# -- a grid operator's calls ----------------------------------------------------------------


def _iso(given: Mapping[str, float], span: Span, rng: np.random.Generator) -> Floats:
    """A base point every five minutes, a random walk between its bounds."""
    every = int(given["every"])
    point, points = given["start"], []
    for step in rng.normal(0.0, given["step"], -(-span.seconds // every)):
        point = min(max(point + step, given["least"]), given["most"])
        points.append(point)
    return np.repeat(np.array(points), every)[: span.seconds]


ISO = Process(
    "iso-5min",
    "base points of a grid operator, every five minutes",
    100.0,
    {
        "every": certain(300.0, "s", "ERCOT: follow each base point, 5 min"),
        "start": Given(70.0, "% of the fleet", "assumed", 0.0, 100.0),
        "step": Given(8.0, "% of the fleet, one sigma", "assumed", 2.0, 20.0),
        "least": Given(10.0, "% of the fleet", "assumed", 0.0, 50.0),
        "most": certain(100.0, "% of the fleet", "the fleet"),
    },
    _iso,
    Kind.SETPOINT_ABS,
)

PLANTS = (NUCLEAR, HYDRO, GEOTHERMAL, WIND, SOLAR, ISO)

#: Every process by its name.
PROCESSES: dict[str, Process] = {process.name: process for process in (*PLANTS, *TESTS)}
