"""`python -m experiment`: see experiment/cli/main.py, and experiment/cli/check.py for `check`."""

import sys

from experiment.cli import check
from experiment.cli.main import main

if __name__ == "__main__":
    is_check = sys.argv[1:2] == ["check"]  # a photo of that name is ./check
    sys.exit(check.main(sys.argv[2:]) if is_check else main())
