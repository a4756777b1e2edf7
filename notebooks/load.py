# %% [markdown]
# # Load runs
#
# Tables and figures from the folders that `python -m loadtest` writes: Run > Run All Cells. Nothing is sent
# to any server here, and nothing in those folders is changed. `docs/load.md` explains the words.
#
# Where runs differ in nothing but their time, the newest counts. A section whose runs are missing says so,
# and names the command that makes one.
#
# `RUNS` is the folder that holds the runs, at any depth; `ONLY` takes those with this text in their path.

# %% tags=["parameters"]
RUNS = "loads"  # in the project's folder, or an absolute path
ONLY = ""

# %%
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
import plotly.io as pio
from IPython.display import Markdown, display

ROOT = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "pyproject.toml").is_file())
sys.path.insert(0, str(ROOT))

from experiment.report.statistics import SAMPLES_FOR_P90, SAMPLES_FOR_P99, percentile_from
from loadtest.errors import LoadRefused
from loadtest.results.load_json import read_load

pio.renderers.default = "plotly_mimetype"  # JupyterLab draws it without a network
pio.templates.default = "plotly_white"
pd.set_option("display.max_colwidth", None, "display.precision", 2, "display.max_rows", 200)

PERCENTILES = {"p50_ms": 1, "p90_ms": SAMPLES_FOR_P90, "p99_ms": SAMPLES_FOR_P99}  # samples that each needs
MOST_POINTS = 20_000  # in one plot: of more requests, the slowest and an even choice of the others
MOST_PLOTS = 12  # of one kind, the newest
CLOSED, OPEN = "in flight", "per second"


def missing(what, command):
    display(
        Markdown(f"**No {what} in this folder.** This makes one: `.venv/bin/python -m loadtest {command}`")
    )


# %% [markdown]
# ## The runs


# %%
RUN_COLUMNS = [
    *("run", "folder", "started_at", "kind", "target", "protocol", "arrivals", "offered_per_s", "in_flight"),
    *("batch", "payload", "seconds", "count", "failures", "achieved_per_s", "goodput_per_s"),
    *("p50_ms", "p90_ms", "p99_ms", "max_ms", "causes", "late_p99_ms", "late_max_ms", "cpu_percent"),
    *("in_flight_max", "validity", "reasons", "has_own_section"),
]
REQUEST_COLUMNS = ["due_s", "sent_s", "latency_ms", "ok", "cause"]  # of load.json


def read_all(folder):
    """Every load.json below a folder, oldest first, and a sentence for what can't be shown."""
    loads, sentences = [], []
    for file in sorted(folder.rglob("load.json")):
        if ONLY in str(file.parent):
            try:
                load = read_load(file)
                requests = pd.DataFrame(load["requests"], columns=REQUEST_COLUMNS)
                loads.append(load | {"requests": requests, "folder": file.parent})
            except LoadRefused as refused:
                sentences.append(str(refused))
    alone = [
        each.parent
        for each in sorted(folder.rglob("samples.csv"))
        if not (each.parent / "load.json").exists()
    ]
    if alone:
        sentences.append(
            f"{len(alone)} folders with samples.csv but no load.json, the first of them {alone[0]}: they are "
            "part of a cross-check, their run goes on, or it was killed."
        )
    return sorted(loads, key=lambda load: load["started_at"]), sentences


def payload_of(payload):
    """What was sent, in a few words."""
    names = list(dict.fromkeys(payload["names"]))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}, {len(payload['sizes_bytes'])} different"


def settings_of(load):
    """What two runs have in common that differ in their time alone."""
    if load.get("steps"):  # a ladder or a search chooses them itself
        asked = load.get("capacity", {}).get("limit_ms")
    elif load["arrivals"] == "burst":
        asked = load["summary"]["count"]
    else:
        asked = (load["offered_per_s"], load["planned_s"], load["in_flight"])
    target, payload = load["target"], load["payload"]
    sent = (target["name"], target["protocol"], payload["batch"], payload_of(payload))
    return (load["kind"], load["arrivals"], *sent, asked)


def parts_of(load):
    """The steps of a load that has several, else the load itself as its only step."""
    keys = (
        "arrivals",
        "seconds",
        "offered_per_s",
        "in_flight",
        "summary",
        "generator",
        "validity",
        "reasons",
    )
    parts = load.get("steps") or [{"first_request": 0} | {key: load[key] for key in keys}]
    places = load.get("places") or [None] * len(parts)  # of a burst over replicas and hosts
    return [part | {"place": place} for part, place in zip(parts, places, strict=True)]


def replicas_of(place):
    """How many there were on each host; where nothing was scaled, it is not known."""
    return "?" if place["replicas"] is None else str(place["replicas"])


def label_of(target, protocol, batch):
    """A server and how it is talked to; the name of an embedded backend may end in "over REST" already."""
    target = target.removesuffix(" over REST")
    over = {"grpc": "gRPC", "rest": "REST"}.get(protocol, protocol)
    return f"{target} {over}{f' x{batch}' if batch > 1 else ''}"


def name_of(load, part):
    """What tells a row from the others, for people."""
    if part["in_flight"]:
        size = f"{part['in_flight']} in flight"
    elif part["offered_per_s"]:
        size = f"{part['offered_per_s']:.4g}/s {part.get('arrivals', load['arrivals'])}"
    else:
        size = f"{part['summary']['count']} at once"
    if place := part["place"]:
        size += f" on {replicas_of(place)} x {place['hosts']}"
    return f"{label_of(load['target']['name'], load['target']['protocol'], load['payload']['batch'])} {size}"


def row_of(load, part):
    """One row of the table of runs."""
    return {
        "run": name_of(load, part),
        "folder": load["folder"].relative_to(FOLDER).as_posix(),
        "started_at": load["started_at"][:19].replace("T", " "),
        "kind": load["kind"],
        "target": load["target"]["name"],
        "protocol": load["target"]["protocol"],
        "arrivals": part.get("arrivals", load["arrivals"]),
        "offered_per_s": part["offered_per_s"],
        "in_flight": part["in_flight"],
        "batch": load["payload"]["batch"],
        "payload": payload_of(load["payload"]),
        "seconds": part["seconds"],
        **part["summary"],
        **part["generator"],
        "validity": part["validity"],
        "reasons": part["reasons"],
        "has_own_section": load["kind"] == "capacity" or part["place"] is not None,
    }


def with_different_names(rows):
    """Numbers those with the same name: a search may have tried one rate twice."""
    again = rows.groupby("run").cumcount()
    return rows.assign(run=rows["run"].where(again == 0, rows["run"] + " #" + (again + 1).astype(str)))


def requests_of(load, part, run):
    """The requests of one row, with its name."""
    first = part["first_request"]
    taken = load["requests"].iloc[first : first + part["summary"]["count"]]
    late_ms = (taken["sent_s"] - taken["due_s"]) * 1e3
    return taken.assign(run=run, late_ms=np.nan if part["in_flight"] else late_ms)


def newest(table, most=MOST_PLOTS):
    """The names of the newest rows, in the order of the table."""
    kept = set(table.sort_values("started_at")["run"].tail(most))
    if len(table) > most:
        display(Markdown(f"The newest {most} of {len(table)} are drawn."))
    return [run for run in table["run"] if run in kept]


def thinned(table, by="latency_ms"):
    """At most MOST_POINTS rows: the slowest tenth of them, and an even choice of the others."""
    if len(table) <= MOST_POINTS:
        return table
    ordered = table.sort_values(by)
    chosen = np.linspace(0, len(ordered) - 1, MOST_POINTS * 9 // 10).astype(int)
    slowest = np.arange(len(ordered) - MOST_POINTS // 10, len(ordered))
    return ordered.iloc[np.union1d(chosen, slowest)]


FOLDER = Path(RUNS) if Path(RUNS).is_absolute() else ROOT / RUNS
every_load, unreadable = read_all(FOLDER)
loads = list({settings_of(load): load for load in every_load}.values())
parts = [(load, part) for load in loads for part in parts_of(load) if part["summary"]["count"]]
runs = with_different_names(pd.DataFrame([row_of(load, part) for load, part in parts], columns=RUN_COLUMNS))
tables = [requests_of(load, part, run) for (load, part), run in zip(parts, runs["run"], strict=True)]
requests = pd.concat(tables) if tables else pd.DataFrame(columns=[*REQUEST_COLUMNS, "run", "late_ms"])
answered = requests[requests["ok"].astype(bool)]
single = runs[~runs["has_own_section"].astype(bool)]  # the others are the many steps of one load

display(
    Markdown(f"{len(every_load)} runs in `{FOLDER}`; shown are {len(loads)}, the newest of their settings.")
)
for sentence in unreadable:
    display(Markdown(f"Left out: {sentence}"))
if runs.empty:
    missing("run", "rate --target NAME --image cat.jpg --rate 100 --seconds 60")
runs[["run", "started_at", "kind", "count", "failures", "p50_ms", "p90_ms", "p99_ms", "validity", "folder"]]

# %% [markdown]
# A run that is INVALID measured its own generator, not the server: don't use its figures. NOISY: more than
# 1 % of its requests failed. An empty percentile had too few answers: p90 needs 64, p99 662.

# %%
reasons = runs[["validity", "reasons", "run"]].explode("reasons").dropna()
reasons.groupby(["validity", "reasons"], sort=False)["run"].agg("; ".join).reset_index()

# %% [markdown]
# ## Failures
#
# Failed requests stay in the count. `sent_per_s` is what a tool shows that counts a failure like an answer,
# `answered_per_s` what the server was worth; `goodput_per_s` counts images with the right label, where
# those are known.


# %%
failures = runs.assign(
    failed_percent=100 * runs["failures"] / runs["count"],
    sent_per_s=runs["count"] / runs["seconds"],
    answered_per_s=runs["achieved_per_s"],
    causes=runs["causes"].map(lambda causes: ", ".join(f"{n} x {cause}" for cause, n in causes.items())),
)
failures[
    ["run", "count", "failures", "failed_percent", "causes", "sent_per_s", "answered_per_s", "goodput_per_s"]
]

# %% [markdown]
# The share of all requests that was answered within a time. A curve that ends below 100 % shows the
# failures: they are never answered.


# %%
def shares(values, total):
    """Values in ascending order, and what percentage of `total` lies at or below each."""
    ordered = np.sort(values)
    ranks = np.unique(np.linspace(1, len(ordered), min(len(ordered), 1000)).astype(int))
    return ordered[ranks - 1], 100 * ranks / total


def drawn_shares(title, column, axis, table, total_of):
    """One curve for each of the newest runs."""
    figure = go.Figure(layout={"title": title})
    for run in newest(single[single["run"].isin(table["run"])]):
        values = table.loc[table["run"] == run, column]
        x, percent = shares(values, total_of(run, values))
        figure.add_scatter(x=x, y=percent, name=run, mode="lines", line_shape="hv")
    figure.update_xaxes(title=axis, type="log")
    figure.update_yaxes(title="% of the requests", range=[0, 101])
    display(figure)


if answered["run"].isin(single["run"]).any():
    counts = runs.set_index("run")["count"]
    drawn_shares("Answered within", "latency_ms", "latency (ms)", answered, lambda run, _: counts[run])

# %% [markdown]
# ## Latencies in figures
#
# pandas' `describe()` of the answered requests, in ms, with percentiles only where the samples are enough.


# %%
def described(latency_ms):
    """describe(), without what needs more samples."""
    table = latency_ms.describe(percentiles=[0.5, 0.9, 0.99])
    table["90%"] = percentile_from(SAMPLES_FOR_P90, latency_ms.tolist(), 90)
    table["99%"] = percentile_from(SAMPLES_FOR_P99, latency_ms.tolist(), 99)
    return table


if not answered.empty:
    display(answered.groupby("run", sort=False)["latency_ms"].apply(described).unstack())

# %% [markdown]
# ## Distribution by concurrency
#
# One histogram for each number of requests in flight or at once, and one for each rate. Look for several
# peaks (queues, several kinds of request) and for long tails.


# %%
def histograms(table, title):
    names = newest(table)
    chosen = answered[answered["run"].isin(names)]
    figure = px.histogram(
        chosen,
        x="latency_ms",
        facet_col="run",
        facet_col_wrap=3,
        category_orders={"run": names},
        histnorm="percent",
        nbins=60,
        labels={"latency_ms": "latency (ms)"},
        title=title,
        height=150 + 250 * -(-len(names) // 3),
    )
    figure.for_each_annotation(lambda each: each.update(text=each.text.removeprefix("run=")))
    figure.update_yaxes(title="")
    display(figure)


bursts = single[single["arrivals"] == "burst"]
closed = single[single["arrivals"] == "closed"]
offered = single[single["offered_per_s"].notna()]
if bursts.empty and closed.empty:
    missing("burst or closed loop", "ladder --target NAME --image cat.jpg")
if not (many := pd.concat([closed, bursts])).empty:
    histograms(many, "Latency by concurrency (% of the answers)")
if not offered.empty:
    histograms(offered, "Latency by rate (% of the answers)")

# %% [markdown]
# ## Bursts by replicas and hosts
#
# Each point is one burst: the makespan, from its start to its last answer. If more replicas on one host
# were worth something, the boxes would fall to the right.

# %%
if spread := [load for load in loads if load.get("places")]:
    makespans = pd.DataFrame(
        part["place"]
        | {"replicas": replicas_of(part["place"]), "makespan_s": part["seconds"]}
        | {"target": load["target"]["name"], "validity": part["validity"]}
        for load in spread
        for part in parts_of(load)
    ).sort_values(["hosts", "replicas"], key=lambda column: pd.to_numeric(column, errors="coerce"))
    figure = px.box(
        makespans,
        x="replicas",
        y="makespan_s",
        color="requests",
        facet_col="hosts",
        points="all",
        hover_data=["target", "validity"],
        labels={"makespan_s": "makespan (s)", "replicas": "replicas on each host"},
        title="Bursts by replicas",
    )
    display(figure.update_xaxes(type="category").update_yaxes(rangemode="tozero"))
    display(
        makespans.groupby(["target", "requests", "hosts", "replicas"], dropna=False)["makespan_s"].describe()
    )
else:
    missing("burst over replicas", "burst --requests 20,40 --replicas 1,2,4 --image cat.jpg")

# %% [markdown]
# ## gRPC and REST at equal load
#
# Pairs of runs with the same payload, batch and load, one over each protocol. The ratio is that of the
# median latencies; its interval comes from resampling 20 stretches of each run, because neighbours in a
# queue are alike. Where many requests failed, compare the counts first.


# %%
def ratio_of_medians(first_ms, second_ms):
    """The ratio of the medians, and its 95 % interval. Latencies in the order of the load."""
    chance = np.random.default_rng(0)
    medians_ms = []
    for latency_ms in (first_ms, second_ms):
        stretches = np.array_split(latency_ms[:: -(-len(latency_ms) // MOST_POINTS)], 20)
        drawn = chance.integers(0, 20, (500, 20))
        medians_ms.append([np.median(np.concatenate([stretches[each] for each in row])) for row in drawn])
    low, high = np.percentile(np.divide(*medians_ms), [2.5, 97.5])
    return np.median(first_ms) / np.median(second_ms), low, high


def compared(grpc, rest):
    """A row of the table for two runs. A burst is one event, so it has no interval."""
    grpc_ms, rest_ms = (answered.loc[answered["run"] == run, "latency_ms"].to_numpy() for run in (grpc, rest))
    low = high = None
    ratio = np.median(rest_ms) / np.median(grpc_ms) if len(rest_ms) and len(grpc_ms) else None
    if min(len(rest_ms), len(grpc_ms)) >= 200 and runs.set_index("run").loc[grpc, "arrivals"] != "burst":
        ratio, low, high = ratio_of_medians(rest_ms, grpc_ms)
    return {"gRPC": grpc, "REST": rest, "REST over gRPC, p50": ratio, "95 % from": low, "to": high}


EQUAL = ["kind", "arrivals", "offered_per_s", "in_flight", "at_once", "batch", "payload"]
alike = runs.assign(at_once=runs["count"].where(runs["arrivals"] == "burst"))
over = {protocol: alike[alike["protocol"] == protocol] for protocol in ("grpc", "rest")}
pairs = over["grpc"].merge(over["rest"], on=EQUAL, suffixes=("_grpc", "_rest"))
if pairs.empty:
    missing(
        "pair of runs that differ only in the protocol",
        "rate --target HOST:PORT --protocol rest --image cat.jpg --rate 100 --seconds 60",
    )
else:
    display(pd.DataFrame(map(compared, pairs["run_grpc"], pairs["run_rest"])))
    rows = pd.concat(
        answered[answered["run"].isin(pair)].assign(load=pair[0].replace("gRPC ", ""))
        for pair in zip(pairs["run_grpc"], pairs["run_rest"], strict=True)
    ).merge(runs[["run", "protocol"]], on="run")
    display(
        px.box(
            thinned(rows),
            x="load",
            y="latency_ms",
            color="protocol",
            log_y=True,
            points=False,
            labels={"latency_ms": "latency (ms)", "load": ""},
            title="gRPC and REST side by side",
        )
    )

# %% [markdown]
# ## Over time
#
# Every request at the time it was due, failed ones as crosses at the time until they failed, and the
# percentiles of each second. A run whose latency grows to its end was above the server's capacity: its
# percentiles depend on how long it went on.


# %%
def over_time(load):
    rows = load["requests"]
    figure = go.Figure(layout={"title": f"{load['folder'].name}: {load['target']['name']}", "height": 350})
    for ok, name, symbol in ((True, "answered", "circle"), (False, "failed", "x")):
        each = thinned(rows[rows["ok"] == ok])
        marker = {"size": 4 if ok else 8, "opacity": 0.4 if ok else 1, "symbol": symbol}
        figure.add_scattergl(x=each["due_s"], y=each["latency_ms"], name=name, mode="markers", marker=marker)
    seconds = pd.DataFrame(load.get("over_time", []), columns=["start_s", *PERCENTILES])
    for name in PERCENTILES:
        if seconds[name].notna().any():
            figure.add_scatter(x=seconds["start_s"] + 0.5, y=seconds[name], name=name, mode="lines")
    figure.update_xaxes(title="due (s from the start)")
    figure.update_yaxes(title="latency (ms)", type="log")
    return figure


for load in [each for each in loads if each["arrivals"] != "burst"][-MOST_PLOTS // 2 :]:
    display(over_time(load))

# %% [markdown]
# ## Over the rate
#
# Open loop: latency over the rate that was offered, from runs at one rate each. Closed loop: over the
# requests in flight; where the answers per second no longer rise, more requests only wait. Crosses are
# INVALID runs.


# %%
def curves(figure, rows, x, label, is_marked, mark):
    """p50, p90 and p99 of rows, or of the points of a search; another symbol for those that are marked."""
    symbols = np.where(is_marked, mark, "circle")
    for name, dash in zip(PERCENTILES, ("solid", "dash", "dot"), strict=True):
        figure.add_scatter(
            x=rows[x],
            y=rows[name],
            name=f"{label}: {name[:3]}",
            mode="lines+markers",
            line_dash=dash,
            marker_symbol=symbols,
        )


def figure_over(x, title, table):
    """A figure with the curves of every server, protocol and batch."""
    figure = go.Figure(layout={"title": title})
    for key, rows in table.sort_values(x).groupby(["target", "protocol", "batch"]):
        curves(figure, rows, x, label_of(*key), rows["validity"] == "INVALID", "x")
    figure.update_xaxes(title=x.replace("_per_s", " (requests/s)").replace("_", " "))
    figure.update_yaxes(title="latency (ms)", type="log")
    return figure


if offered["offered_per_s"].nunique() > 1:
    display(figure_over("offered_per_s", "Latency over the rate", offered))
else:
    missing("pair of rates to draw a curve", "rate --target NAME --image cat.jpg --rate 50 --seconds 60")
if closed["in_flight"].nunique() > 1:
    display(figure_over("in_flight", "Latency over the requests in flight", closed))
    figure = px.line(
        closed.assign(server=list(map(label_of, closed["target"], closed["protocol"], closed["batch"]))),
        x="in_flight",
        y="achieved_per_s",
        color="server",
        markers=True,
        labels={"in_flight": "in flight", "achieved_per_s": "answers/s"},
        title="Answers per second over the requests in flight",
    )
    display(figure.update_yaxes(rangemode="tozero"))

# %% [markdown]
# ## Capacity
#
# The most requests per second whose p99 stays within a limit, as `capacity` found it, with its 95 %
# interval. The curve has all rates that the search tried. The knee is the rate with the most answers for
# the latency; above it, waiting grows faster than what is won. A triangle is a rate that was too high and
# ended early: longer, its latency would be higher.


# %%
def capacity_figure(load):
    """The curve of a search, with the limit, the knee and the capacity."""
    found = load["capacity"]
    figure = go.Figure(layout={"title": f"Capacity of {load['target']['name']}"})
    points = pd.DataFrame(found["points"])
    curves(figure, points, "offered_per_s", load["target"]["protocol"], points["stopped"], "triangle-up")
    figure.add_scatter(
        x=points["offered_per_s"],
        y=[found["limit_ms"]] * len(points),
        name=f"limit {found['limit_ms']:g} ms",
        mode="lines",
        line_color="grey",
    )
    if found["knee_per_s"]:
        figure.add_vline(found["knee_per_s"], line_dash="dot", annotation_text="knee")
    if found["per_s"]:
        figure.add_vline(found["per_s"], annotation_text=f"{found['per_s']:.3g}/s")
    if found["low_per_s"] and found["high_per_s"]:
        figure.add_vrect(
            found["low_per_s"], found["high_per_s"], opacity=0.15, line_width=0, fillcolor="green"
        )
    figure.update_xaxes(title="offered (requests/s)")
    figure.update_yaxes(title="latency (ms)", type="log")
    return figure


searches = [load for load in loads if "capacity" in load]
if not searches:
    missing("capacity", "capacity --target NAME --image cat.jpg --p99-ms 100")
for load in searches:
    display(
        Markdown(
            f"**{load['target']['name']}, {load['target']['protocol']}**: {load['capacity']['sentence']}"
        )
    )
    if load["capacity"]["points"]:
        display(capacity_figure(load))

# %% [markdown]
# ## The generator
#
# How much later than due the requests were sent (open loop), and what the generator used of its one core. A
# load that its own generator could not keep up with is INVALID.

# %%
display(runs[["run", "late_p99_ms", "late_max_ms", "cpu_percent", "in_flight_max", "validity"]])
if not (late := requests[requests["run"].isin(single["run"])].dropna(subset="late_ms")).empty:
    late = late.assign(late_ms=late["late_ms"].clip(lower=0.001))
    drawn_shares(
        "Sent at most this late", "late_ms", "later than due (ms)", late, lambda _, values: len(values)
    )

# %% [markdown]
# ## The tail
#
# From the HdrHistogram files, `latency.hgrm`, of runs with one load: latency over the percentile, on an
# axis that gives the tail its room.

# %%
tails = [load["folder"] / "latency.hgrm" for load in loads if len(parts_of(load)) == 1]
tails = [file for file in tails if file.is_file()][-MOST_PLOTS:]
if tails:
    figure = go.Figure(layout={"title": "Latency by percentile"})
    for file in tails:
        table = pd.read_csv(file, sep=r"\s+", comment="#").replace(np.inf, np.nan).dropna()
        figure.add_scatter(x=table["1/(1-Percentile)"], y=table["Value"], name=file.parent.name, mode="lines")
    ticks = {"50 %": 2, "90 %": 10, "99 %": 100, "99.9 %": 1e3, "99.99 %": 1e4}
    figure.update_xaxes(type="log", tickvals=list(ticks.values()), ticktext=list(ticks), title="percentile")
    figure.update_yaxes(title="latency (ms)", type="log")
    display(figure)
else:
    missing("HdrHistogram file", "rate --target NAME --image cat.jpg --rate 100 --seconds 60")

# %% [markdown]
# ## Locust's files
#
# `<kind>_stats_history.csv`, as Locust writes it: answers and failures per second, and the users. Its
# latencies count from when a user sent a request, so a stalled server looks better in them than in an open
# loop.


# %%
def histories_of(folders):
    """The totals of every second, with the file that they are from."""
    for folder in folders:
        for file in folder.glob("*_stats_history.csv"):
            history = pd.read_csv(file, na_values="N/A")
            totals = history[history["Name"] == "Aggregated"]
            seconds = totals["Timestamp"] - totals["Timestamp"].min()
            yield totals.assign(
                seconds=seconds, file=f"{folder.name} {file.name.removesuffix('_stats_history.csv')}"
            )


histories = list(histories_of(load["folder"] for load in loads))
if histories:
    history = pd.concat(histories[-MOST_PLOTS:]).melt(
        ["file", "seconds"], ["Requests/s", "Failures/s", "User Count"]
    )
    figure = px.line(
        history,
        x="seconds",
        y="value",
        color="file",
        facet_row="variable",
        title="Second by second",
        height=700,
    )
    figure.for_each_annotation(lambda each: each.update(text=each.text.removeprefix("variable=")))
    figure.update_yaxes(matches=None, title="", rangemode="tozero")
    display(figure)
else:
    missing("Locust history", "users --target NAME --users 500 --spawn-rate 10 --run-time 5m")
