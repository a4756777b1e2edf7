"""What `python -m loadtest` can be asked for."""

from __future__ import annotations

import argparse

from loadtest.commands.main import _parser


def known_options() -> dict[str, set[str]]:
    """Command -> its options."""
    (commands,) = [each for each in _parser()._actions if isinstance(each, argparse._SubParsersAction)]
    return {
        name: {option for action in parser._actions for option in action.option_strings}
        for name, parser in commands.choices.items()
    }
