"""python -m gateway: see command.py."""

from __future__ import annotations

import sys

from experiment.errors import PixelcostError
from gateway.command import main

if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except PixelcostError as error:
        print(f"The gateway can't start. {error.message}", file=sys.stderr)
        sys.exit(2)
