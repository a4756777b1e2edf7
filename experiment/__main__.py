"""`python -m experiment`: see experiment/cli/main.py."""

import sys

from experiment.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
