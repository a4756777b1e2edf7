"""`python -m loadtest`: see loadtest/cli/main.py."""

import sys

from loadtest.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
