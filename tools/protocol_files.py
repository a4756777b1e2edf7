"""Copy the protocol messages that experiment/protocol.py needs, and nothing else.

    python -m tools.protocol_files DEST

The web image is made with it: the messages of TensorFlow and TensorFlow Serving are a
few hundred kilobytes, their packages are over a gigabyte.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import experiment.protocol  # noqa: F401  loads exactly the modules that are needed

PACKAGES = ("tensorflow", "tensorflow_serving")


def copy_messages(destination: Path) -> int:
    """Copy the files of all loaded message modules. Returns how many."""
    count = 0
    for name, module in sorted(sys.modules.items()):
        if name.split(".")[0] not in PACKAGES or not getattr(module, "__file__", None):
            continue
        is_package = hasattr(module, "__path__")
        target = destination.joinpath(*name.split("."), *(["__init__"] if is_package else [])).with_suffix(
            ".py"
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(module.__file__, target)
        count += 1
    return count


if __name__ == "__main__":
    print(f"{copy_messages(Path(sys.argv[1]))} message files copied to {sys.argv[1]}")
