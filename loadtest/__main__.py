"""`python -m loadtest`: see loadtest/commands/main.py."""

import sys

from loadtest.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
