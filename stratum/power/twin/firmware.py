"""Six kinds of firmware: what the brain is told of them, and what they truly do.

The first is a `brain.fleet.Firmware`, a default as an operator's file would have it; the second a
`Behaviour`, and differs on purpose: times are drawn anew for each command, a resume may preheat for
minutes, a reply may mean nothing. Who is tuned to the first must survive the second.

Origins are pointers into `reference/power.md` (with its tags: C read in code, D vendor's page,
I issue), or an address, or "assumed" with the range that the twin draws from.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from stratum.power.brain.fleet import MINUTE, SECOND, Firmware

Range = tuple[int, int]

#: A rig that was asleep for longer is cold: its next start preheats, where the firmware does that.
COOL_MS = 10 * MINUTE


class Claim(IntEnum):
    """Where a firmware's word on whether it hashes comes from."""

    MEASURED = 0  # from its boards
    CONFIG = 1  # from what it was told
    NOTHING = 2  # it does not say


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a firmware truly does. Ranges are uniform, drawn for each command."""

    told: Firmware
    down_dead_ms: Range
    down_ramp_ms: Range
    up_dead_ms: Range
    up_ramp_ms: Range
    trim_dead_ms: Range
    trim_ramp_ms: Range
    boot_ms: Range  # from power to hashing
    idle_w: Range | None  # asleep, fans included; None: as its model says
    warm_bp: int = 0  # of full, while it preheats after a cold start
    warm_ms: Range = (0, 0)
    keeps_sleep: bool = False  # over a reboot
    parks_cold: bool = False  # refused by its only pool, it cuts its power (§4)
    claims: Claim = Claim.MEASURED
    answer_ms: Range = (100, 900)  # assumed; a LAN and a small CPU
    deaf_bp: int = 0  # of commands answered as sent and never carried out
    origin: str = ""


LUXOS = Firmware("luxos")
LUXOS_TARGET = Firmware("luxos-target", continuous=True, trim_dead_ms=2_000, trim_ramp_ms=10_000)
BRAIINS = Firmware(
    "braiins",
    continuous=True,
    down_dead_ms=1 * SECOND,
    down_ramp_ms=10 * SECOND,
    up_dead_ms=5 * SECOND,
    up_ramp_ms=60 * SECOND,
    trim_dead_ms=2 * SECOND,
    trim_ramp_ms=30 * SECOND,
)
STOCK = Firmware(
    "antminer-stock",
    reports_watts=False,
    down_dead_ms=5 * SECOND,
    down_ramp_ms=55 * SECOND,
    up_dead_ms=30 * SECOND,
    up_ramp_ms=5 * MINUTE,
    min_off_ms=10 * MINUTE,
    confirm_ms=120 * SECOND,
    writes_per_day=6,
)
WHATSMINER = Firmware(
    "whatsminer",
    down_dead_ms=3 * SECOND,
    down_ramp_ms=12 * SECOND,
    up_dead_ms=20 * SECOND,
    up_ramp_ms=3 * MINUTE,
    min_off_ms=10 * MINUTE,
    confirm_ms=120 * SECOND,
)
VNISH = Firmware(
    "vnish",
    down_dead_ms=2 * SECOND,
    down_ramp_ms=6 * SECOND,
    up_dead_ms=15 * SECOND,
    up_ramp_ms=90 * SECOND,
)
BITAXE = Firmware(
    "esp-miner",
    down_dead_ms=1 * SECOND,
    down_ramp_ms=1 * SECOND,
    up_dead_ms=2 * SECOND,
    up_ramp_ms=5 * SECOND,
    ladder=("sleep", "second_path", "park", "outlet"),
)

_LUXOS_ORIGIN = (
    "asleep at about 25 W in under 5 s, back in under 10 s [D hashrateindex.com, Firmware Features "
    "Series, curtailment]; sleep persists over a restart [D docs.luxor.tech, curtail]; a plain "
    "wakeup ramps like a reboot, a fast one needs larger steps (same page), so 6-12 s is assumed; "
    "says whether it sleeps in `config`, CurtailMode [K]; boot 60-150 s and idle 20-32 W assumed"
)

BEHAVIOURS: tuple[Behaviour, ...] = (
    Behaviour(
        told=LUXOS,
        down_dead_ms=(300, 1_500),
        down_ramp_ms=(1_500, 3_500),
        up_dead_ms=(1_000, 3_000),
        up_ramp_ms=(5_000, 9_000),
        trim_dead_ms=(1_000, 3_000),
        trim_ramp_ms=(5_000, 12_000),
        boot_ms=(60_000, 150_000),
        idle_w=(20, 32),
        keeps_sleep=True,
        claims=Claim.CONFIG,
        origin=_LUXOS_ORIGIN,
    ),
    Behaviour(
        told=LUXOS_TARGET,
        down_dead_ms=(300, 1_500),
        down_ramp_ms=(1_500, 3_500),
        up_dead_ms=(1_000, 3_000),
        up_ramp_ms=(5_000, 9_000),
        trim_dead_ms=(1_000, 3_000),
        trim_ramp_ms=(5_000, 12_000),
        boot_ms=(60_000, 150_000),
        idle_w=(20, 32),
        keeps_sleep=True,
        claims=Claim.CONFIG,
        origin=_LUXOS_ORIGIN
        + "; power targeting on select models [D same series], its speed assumed 5-12 s",
    ),
    Behaviour(
        told=BRAIINS,
        down_dead_ms=(300, 1_500),
        down_ramp_ms=(6_000, 12_000),
        up_dead_ms=(2_000, 6_000),
        up_ramp_ms=(25_000, 60_000),
        trim_dead_ms=(1_000, 3_000),
        trim_ramp_ms=(20_000, 60_000),
        boot_ms=(90_000, 240_000),
        idle_w=(25, 60),
        warm_bp=2_900,
        warm_ms=(60_000, 240_000),
        origin="quick ramp up and down in settable seconds since API 1.7 [C github.com/braiins/"
        "bos-plus-api 1.7.0]; an S19K Pro (2,760 W) sits at 800 W in 'Stabilizing temperature' for "
        "'a long time' before it rises [I hass-miner#586]: 29 % for 1-4 min assumed; fans in pause "
        "are configurable (§4): idle 25-60 W assumed; runs again after a reboot, assumed; a new "
        "target takes 20-60 s, assumed between quick ramp and the slow autotune of Appendix A",
    ),
    Behaviour(
        told=STOCK,
        down_dead_ms=(5_000, 55_000),
        down_ramp_ms=(3_000, 8_000),
        up_dead_ms=(20_000, 60_000),
        up_ramp_ms=(180_000, 300_000),
        trim_dead_ms=(0, 0),
        trim_ramp_ms=(0, 0),
        boot_ms=(90_000, 240_000),
        idle_w=(35, 90),
        keeps_sleep=True,
        claims=Claim.CONFIG,
        answer_ms=(500, 3_000),
        origin="sheds 5-60 s after the write, 5 min ramp (Appendix A, 'stock fw'); sleep is "
        "miner-mode 1 of the saved config: it survives a reboot, and whether it mines is read from "
        "that config [C §3.2, §3.3]; no watts [T §3.2]; fans may keep running asleep [D §4], "
        "35-90 W assumed; boot assumed",
    ),
    Behaviour(
        told=WHATSMINER,
        down_dead_ms=(1_000, 5_000),
        down_ramp_ms=(4_000, 12_000),
        up_dead_ms=(10_000, 30_000),
        up_ramp_ms=(90_000, 240_000),
        trim_dead_ms=(0, 0),
        trim_ramp_ms=(0, 0),
        boot_ms=(90_000, 180_000),
        idle_w=(20, 60),
        claims=Claim.NOTHING,
        answer_ms=(200, 2_000),
        origin="power_off answers before it acts, adjust_power_limit reboots [C Appendix B], hence "
        "on or off; API v3 has no word on hashing [T §3.2]; every time and the idle draw assumed; "
        "runs again after a reboot, assumed",
    ),
    Behaviour(
        told=VNISH,
        down_dead_ms=(500, 3_000),
        down_ramp_ms=(2_000, 6_000),
        up_dead_ms=(5_000, 20_000),
        up_ramp_ms=(40_000, 120_000),
        trim_dead_ms=(0, 0),
        trim_ramp_ms=(0, 0),
        boot_ms=(60_000, 180_000),
        idle_w=(20, 45),
        deaf_bp=100,
        origin="tuned presets only, and the reply is the same when it failed [C §3.2, Appendix B]: "
        "1 % of commands without effect assumed (0-5 %); times, idle and boot assumed",
    ),
    Behaviour(
        told=BITAXE,
        down_dead_ms=(100, 800),
        down_ramp_ms=(300, 1_000),
        up_dead_ms=(500, 2_000),
        up_ramp_ms=(2_000, 6_000),
        trim_dead_ms=(0, 0),
        trim_ramp_ms=(0, 0),
        boot_ms=(10_000, 30_000),
        idle_w=None,
        parks_cold=True,
        answer_ms=(50, 600),
        origin="pause and resume since 2.14, the flag is in RAM and a reboot forgets it "
        "[C Appendix B]; 2.75 W of 14 W when it does not hash [I bitaxeorg/ESP-Miner#101]; times "
        "assumed",
    ),
)

BY_NAME = {kind.told.name: kind for kind in BEHAVIOURS}
