"""`python -m loadtest`: see loadtest/commands/main.py."""

import sys

try:
    from loadtest.commands.main import main

    sys.exit(main())
except KeyboardInterrupt:  # Ctrl-C while it starts: nothing was sent yet
    sys.exit(130)
