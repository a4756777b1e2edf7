"""Pixelcost as an installed package: `pip install .` gives its commands (commands.py) and this name alone.

Its packages have general names, such as `models` and `common`, which other packages have too. So the wheel
puts them into the folder `_app` here, where only Pixelcost's own processes find them. A notebook or script
gets them by importing this first:

>>> import pixelcost
>>> import experiment
>>> experiment.__file__.startswith(str(pixelcost.APP))
True
"""

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
APP = _HERE / "_app" if (_HERE / "_app").is_dir() else _HERE.parent  # the latter in a checkout

if str(APP) not in sys.path:
    sys.path.insert(0, str(APP))
