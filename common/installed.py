"""How this copy was started: in a checkout by `make run`, or as an installed package by `pixelcost`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

IS_INSTALLED: Final = Path(__file__).resolve().parents[1].name == "_app"  # setup.py

_TYPED: Final = (
    (r"TENSORFLOW=tensorflow make run\b", "pip install tensorflow"),
    (r"make runtimes\b", "pip install 'pixelcost[runtimes]'"),
    (r"pip install -r requirements/remote\.txt", "pip install 'pixelcost[remote]'"),
    (r"requirements/tracing\.txt \(make tracing\)", "pixelcost[tracing]"),
    (r"make run\b|python -m webapp\b", "pixelcost"),
    (r"(?:\.venv/bin/)?python -m (experiment|gateway|jobs|loadtest|models|serving)\b(?!\.)", r"pixelcost-\1"),
)


def as_typed(text: str, is_installed: bool = IS_INSTALLED) -> str:
    """`text` with its commands as somebody types them here.

    >>> as_typed("Start one: python -m jobs serve", is_installed=True)
    'Start one: pixelcost-jobs serve'
    >>> as_typed("Start one: python -m jobs serve", is_installed=False)
    'Start one: python -m jobs serve'
    """
    for pattern, typed in _TYPED if is_installed else ():
        text = re.sub(pattern, typed, text)
    return text


def data_folder(is_installed: bool = IS_INSTALLED) -> str:
    """Where runs and models are kept unless a setting says otherwise.

    In a checkout `var` in it. An installed copy is started in any folder, so there it is the user's own:
    https://specifications.freedesktop.org/basedir-spec/latest/
    """
    if not is_installed:
        return "var"
    given = os.environ.get("XDG_DATA_HOME", "")
    return str((Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "share") / "pixelcost")
