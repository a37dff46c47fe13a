"""A run as one HTML page that needs nothing else: charts, figures, reasons, origins.

The page carries plotly's own bundle, so it works without internet. Colours of text and grid come
from the style sheet, which follows the reader's light or dark setting; those of the lines are of
middle brightness and stand on both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
from plotly.offline import get_plotlyjs

from stratum.power.simulation.goals import HOW_ERRORS_COUNT, lines
from stratum.power.simulation.run import Run
from stratum.power.simulation.score import MINUTE, Score, target_of
from stratum.power.twin.plants import PROCESSES
from stratum.power.twin.rigs import Floats
from stratum.power.words import counted

#: Points of a line; a day at 1 Hz would be 86,400 and a browser's minute.
MOST_POINTS = 3_000
MOST_EVENTS = 400

BLUE, GREEN, ORANGE, GREY, RED = "#3b82c4", "#2f9e5f", "#d9730d", "#808790", "#d9534f"

Chart = dict[str, Any]

_STYLE = """
:root { color-scheme: light dark; --ground: #fbfbf9; --ink: #1c1e21; --soft: #5d636b;
  --line: #dcdcd6; --good: #1b6b3a; --bad: #a12622; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #15171a; --ink: #e4e6e8; --soft: #9aa1a9; --line: #2e3238;
    --good: #6fcf97; --bad: #ff8f87; }
}
body { margin: 0 auto; padding: 1.5rem; max-width: 80rem; background: var(--ground);
  color: var(--ink); font: 0.95rem/1.5 system-ui, sans-serif;
  font-variant-numeric: tabular-nums; }
h1 { margin: 0; font-size: 1.5rem; }
h2 { margin: 2rem 0 0.5rem; font-size: 1rem; }
.soft { color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: 0.15rem 1rem 0.15rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
td.number { text-align: right; }
.met, .info { color: var(--good); } .missed, .alarm { color: var(--bad); }
.chart { height: 22rem; }
.js-plotly-plot text { fill: var(--ink) !important; }
.js-plotly-plot .gridlayer path { stroke: var(--line) !important; }
.js-plotly-plot .zerolinelayer path { stroke: var(--soft) !important; }
.js-plotly-plot .hovertext path { fill: var(--ground) !important; stroke: var(--line) !important; }
.js-plotly-plot .legend .bg { fill: var(--ground) !important; }
"""


def page(run: Run, score: Score) -> str:
    """The whole page."""
    scenario = run.scenario
    charts = {
        "power": power_chart(run),
        "error": error_chart(run),
        "rigs": rigs_chart(run),
        "cycles": cycles_chart(run),
    }
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(scenario.name)}: a simulation</title>
<style>{_STYLE}</style>
<h1>{escape(scenario.name)}: {escape(scenario.title)}</h1>
<p class="soft">{escape(_about(run))}</p>
<h2>Figures</h2>
{_figures(run, score)}
<p class="soft">{escape(HOW_ERRORS_COUNT)}</p>
<h2>Power</h2>
<div class="chart" id="power"></div>
<h2>Error against the target (surplus less the reserve)</h2>
<div class="chart" id="error"></div>
<h2>Rigs asleep, and commands</h2>
<div class="chart" id="rigs"></div>
<h2>Wakes by command of each rig</h2>
<div class="chart" id="cycles"></div>
<h2>What was said, when it began</h2>
{_said(run)}
<h2>Where the surplus comes from</h2>
{_origins(run)}
<script>{get_plotlyjs()}</script>
<script>
const charts = {_as_script(charts)};
for (const [id, chart] of Object.entries(charts)) {{
  Plotly.newPlot(id, chart.data, chart.layout, {{responsive: true, displayModeBar: false}});
}}
</script>
</html>
"""


def _about(run: Run) -> str:
    scenario, width = run.scenario, _width(run.scenario.seconds)
    each = "a second" if width == 1 else f"the mean of {width} s"
    return (
        f"{counted(scenario.rigs, 'rig')}, {run.fleet.total_w / 1e6:.1f} MW, "
        f"{scenario.farm.mix} firmware, "
        f"{scenario.farm.trim_bp / 100:g} % of it trimmed, reserve "
        f"{run.settings.reserve_bp / 100:g} %; {scenario.hours:g} h of {scenario.surplus}, seed "
        f"{run.seed}. A digital twin, not a farm. Each point is {each}; the first "
        f"{scenario.warm_up_s / 60:g} min are not scored."
    )


# -- charts ---------------------------------------------------------------------------------


def power_chart(run: Run) -> Chart:
    trace = run.trace
    measured = np.where(trace.measured_w < 0, np.nan, trace.measured_w)
    data = [
        _line(run, "surplus", trace.surplus_w / 1e6, GREEN, width=1),
        _line(run, "target", target_of(run) / 1e6, GREY, dash="dot"),
        _line(run, "as the brain measures it", measured / 1e6, ORANGE, width=1),
        _line(run, "power", trace.power_w / 1e6, BLUE, width=2),
    ]
    alarms = [event for event in run.events if event.level == "alarm"][:MOST_EVENTS]
    if alarms:
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "alarms",
                "x": [_time(run, event.second) for event in alarms],
                "y": [0] * len(alarms),
                "text": [escape(f"{event.code}: {event.text}") for event in alarms],
                "hoverinfo": "text",
                "marker": {"color": RED, "size": 9, "symbol": "triangle-up"},
            }
        )
    return _chart(run, data, "MW")


def error_chart(run: Run) -> Chart:
    """Second by second where that can be drawn, and means of a minute, which N7 speaks of."""
    percent = (run.trace.power_w - target_of(run)) * (100.0 / run.fleet.total_w)
    minutes = _mean(percent.astype(np.float64), MINUTE)
    means = {
        "type": "scatter",
        "mode": "lines",
        "name": "means of a minute",
        "x": [_time(run, minute * MINUTE + MINUTE // 2) for minute in range(len(minutes))],
        "y": _rounded(minutes),
        "line": {"color": BLUE, "width": 2},
    }
    data = [_line(run, "power less target", percent, GREY, width=1), means]
    chart = _chart(run, data, "% of the fleet")
    far = max(float(np.percentile(np.abs(percent), 99.0)) * 1.5, 3.0)
    chart["layout"]["yaxis"]["range"] = [-far, far]
    return chart


def rigs_chart(run: Run) -> Chart:
    commands = _line(run, "commands a second", run.trace.commands, ORANGE, width=1)
    commands["yaxis"] = "y2"
    chart = _chart(run, [_line(run, "asleep", run.trace.asleep, BLUE), commands], "rigs")
    chart["layout"]["yaxis2"] = {
        "overlaying": "y",
        "side": "right",
        "showgrid": False,
        "tickmode": "auto",
        "rangemode": "tozero",
        "title": {"text": "commands a second"},
    }
    return chart


def cycles_chart(run: Run) -> Chart:
    wakes, rigs = np.unique(run.wakes, return_counts=True)
    bars = {
        "type": "bar",
        "x": wakes.tolist(),
        "y": rigs.tolist(),
        "marker": {"color": BLUE},
        "name": "rigs",
    }
    chart = _chart(run, [bars], "rigs")
    chart["layout"]["xaxis"] = {"title": {"text": f"wakes in {run.scenario.hours:g} h"}}
    chart["layout"]["showlegend"] = False
    return chart


def _chart(run: Run, data: Sequence[Chart], unit: str) -> Chart:
    return {
        "data": list(data),
        "layout": {
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            # On a narrow screen the legend takes three lines, above the curves.
            "margin": {"t": 72, "r": 60, "b": 40, "l": 60},
            "hovermode": "x unified" if len(data) > 1 else "closest",
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            "xaxis": {"title": {"text": "minutes" if _is_short(run) else "hours"}},
            "yaxis": {"title": {"text": unit}, "rangemode": "tozero"},
        },
    }


def _line(
    run: Run, name: str, values: Floats | Any, colour: str, *, width: int = 2, dash: str = "solid"
) -> Chart:
    group = _width(run.scenario.seconds)
    means = _mean(np.asarray(values, np.float64), group)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [_time(run, place * group + group // 2) for place in range(len(means))],
        "y": _rounded(means),
        "line": {"color": colour, "width": width, "dash": dash},
    }


def _width(seconds: int) -> int:
    return -(-seconds // MOST_POINTS)


def _mean(values: Floats, width: int) -> Floats:
    whole = max(len(values) // width, 1) * width
    means: Floats = values[:whole].reshape(-1, min(width, len(values))).mean(axis=1)
    return means


def _rounded(values: Floats) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 4) for value in values]


def _is_short(run: Run) -> bool:
    return run.scenario.hours <= 3


def _time(run: Run, second: int) -> float:
    return round(second / (60.0 if _is_short(run) else 3_600.0), 4)


# -- tables ---------------------------------------------------------------------------------


def _figures(run: Run, score: Score) -> str:
    rows = []
    for line in lines(run, score):
        word = {True: "met", False: "missed", None: ""}[line.is_met]
        value = "never" if line.value == float("inf") else f"{line.value:,.2f}"
        rows.append(
            f"<tr><td>{escape(line.what)}<td class=number>{value}<td>{escape(line.unit)}"
            f"<td>{escape(line.goal)} <span class={word or 'none'}>{word}</span>"
        )
    return _table(("", "", "unit", "goal"), rows)


def _said(run: Run) -> str:
    rows = [
        f"<tr><td class=number>{_time(run, event.second):g}<td class={event.level}>{event.level}"
        f"<td>{escape(event.code)}<td>{escape(event.subject)}<td>{escape(event.text)}"
        for event in run.events[:MOST_EVENTS]
    ]
    if not rows:
        return "<p>Nothing.</p>"
    unit = "minute" if _is_short(run) else "hour"
    return _table((unit, "level", "code", "about", "reason"), rows)


def _origins(run: Run) -> str:
    process = PROCESSES[run.scenario.surplus]
    rows = []
    for name, given in process.given.items():
        span = "" if given.is_certain else f" ({given.low:g} to {given.high:g})"
        rows.append(
            f"<tr><td>{escape(name)}<td class=number>{given.value:g}"
            f"<td>{escape(given.unit)}<td>{escape(given.origin + span)}"
        )
    scale = (
        f"<p>{escape(process.title)}. {process.full_mw:g} "
        f"{'%' if process.full_mw == 100.0 and 'test' in process.title else 'MW'} of it stand for "
        f"the whole fleet of {run.fleet.total_w / 1e6:.1f} MW.</p>"
    )
    return scale + _table(("figure", "", "unit", "origin, and range where assumed"), rows)


def _table(heads: Iterable[str], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{escape(name)}" for name in heads)
    return f"<div class=scroll><table><tr>{head}{''.join(rows)}</table></div>"


def _as_script(charts: dict[str, Chart]) -> str:
    """JSON that can stand inside a script element."""
    return json.dumps(charts, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
