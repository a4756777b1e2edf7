"""The core of Pixelcost: a photo in, measurements out, a report from them. Read records.py first.

These names are for notebooks and scripts. A report is a dict, the same as the exported JSON. The servers are
those of `TF_SERVERS`, else those of a running `make run`, else ones that are started for the call.

>>> import experiment, pathlib
>>> plan = {"sizes_px": [256, 128], "formats": ["jpeg"], "repeats": 6}
>>> report = experiment.measure_photo("cat.png", plan)
>>> report["state"]
'done'
>>> sorted({cell["variant_id"] for cell in report["cells"]})
['128-jpeg-85', '256-jpeg-85', 'original']
>>> experiment.figure(report, "trade_off").write_html("trade_off.html")
>>> experiment.classify("cat.png", report=report)["top"][0]["label"]  # sent once, as the report recommends
'tabby'
>>> within_5_s = experiment.with_goals(report, max_p50_ms=5000)  # other goals, nothing is measured again
>>> experiment.sections(within_5_s)["uplink"].title
'Over the network (modelled)'
>>> size = pathlib.Path("report.json").write_text(experiment.report_json(report), "utf-8")
>>> experiment.load_report("report.json") == report
True

Each name is imported when it is first used: the process that measures needs none of them.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

NAMES = (
    "PixelcostError",  # what is raised for wrong input; its message says what to do
    "classify",
    "compare",
    "figure",
    "load_report",
    "measure_photo",
    "report_csv",
    "report_html",
    "report_json",
    "sections",
    "with_goals",
)


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("experiment.python_api"), name)


def __dir__() -> list[str]:
    return ["__version__", *NAMES]
