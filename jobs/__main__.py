"""`python -m jobs`: see jobs/commands/main.py."""

import sys

try:
    from jobs.commands.main import main

    sys.exit(main())
except KeyboardInterrupt:  # Ctrl-C while it starts
    sys.exit(130)
