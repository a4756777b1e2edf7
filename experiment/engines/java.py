"""Whether the Java that Spark needs is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from experiment.engines.base import EngineFailed
from experiment.wording import one_line

LEAST: Final = 17
GET: Final = "Install it (Debian and Ubuntu: apt-get install openjdk-17-jre-headless)"


def check_java() -> None:
    """Raises EngineFailed if Spark would find no Java, or one that is too old."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(str(Path(home, "bin", "java")) if home else "java")
    if found is None:
        where = f"at JAVA_HOME, {home}" if home else "on the PATH"
        raise EngineFailed(f"Spark needs Java {LEAST} or newer; there is none {where}. {GET}.")
    try:
        said = subprocess.run(
            [found, "-version"], capture_output=True, text=True, timeout=30, check=False
        ).stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineFailed(f"Spark needs Java; {found} does not run: {one_line(str(error))}") from None
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    if version is None or int(version[1]) < LEAST:
        has = f"version {version[1]}" if version else f"not Java: {one_line(said, 100)}"
        raise EngineFailed(
            f"Spark needs Java {LEAST} or newer; {found} is {has}. {GET}, and set JAVA_HOME to its folder."
        )
