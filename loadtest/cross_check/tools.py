"""TOOLS: the load generators that ours is compared with, how to get each, and what it rounds to."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

DEBIAN = "apt-get install {}"
OWN_LOCK = "pip install {0}, in the version of requirements/{1}.txt"


@dataclass(frozen=True, slots=True)
class Tool:
    """One of them."""

    name: str
    program: str = ""  # to be found on the PATH
    version_option: str = ""  # of the program; empty: it has none
    module: str = ""  # or of this Python
    distribution: str = ""  # that the module is in
    install: str = ""  # what to type
    resolution_ms: float = 0.0  # of the percentiles that it prints

    @property
    def is_installed(self) -> bool:
        """Whether it can be run here. Imports nothing."""
        if self.module:
            return importlib.util.find_spec(self.module) is not None
        return shutil.which(self.program) is not None

    @property
    def version(self) -> str | None:
        """Of what is installed; None: it does not say."""
        if self.distribution:
            return importlib.metadata.version(self.distribution)
        if not self.version_option:
            return None
        command = [self.program, self.version_option]
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        found = re.search(r"\d+(\.\d+)+\S*", said.stdout + said.stderr)
        return found[0].rstrip(",") if found else None


LOADGEN = Tool(
    "LoadGen",
    module="mlperf_loadgen",
    distribution="mlcommons-loadgen",
    install=OWN_LOCK.format("mlcommons-loadgen", "dev"),
    resolution_ms=1e-6,
)
AB = Tool("ab", "ab", "-V", install=DEBIAN.format("apache2-utils"), resolution_ms=0.001)
WRK = Tool("wrk", "wrk", "-v", install=DEBIAN.format("wrk"), resolution_ms=0.001)
HEY = Tool("hey", "hey", install=DEBIAN.format("hey"), resolution_ms=0.1)
LOCUST = Tool(
    "locust",
    module="locust",
    distribution="locust",
    install=OWN_LOCK.format("locust", "locust"),
    resolution_ms=1.0,  # whole milliseconds below 100, whole tens above
)
GHZ = Tool("ghz", "ghz", "--version", install="a release of github.com/bojand/ghz, put on the PATH")
TOOLS = {tool.name.lower(): tool for tool in (LOADGEN, AB, WRK, HEY, LOCUST, GHZ)}


def missing(tools: Sequence[Tool]) -> list[str]:
    """A sentence for each that is not here."""
    return [
        f"{tool.name} is not installed here and was left out. To get it: {tool.install}"
        for tool in tools
        if not tool.is_installed
    ]
