"""python -m gateway.models MODELS_DIR CACHE: see keeper.py."""

from __future__ import annotations

import sys

from gateway.models.keeper import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
