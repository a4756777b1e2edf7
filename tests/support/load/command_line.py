"""What a command line of several commands can be asked for."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from experiment.cli.commands import Command, parser_of
from loadtest.commands import COMMANDS


def known_options(commands: Mapping[str, Command] = COMMANDS) -> dict[str, set[str]]:
    """Command -> its options."""
    parser = parser_of("program", "about", commands)
    (added,) = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    return {
        name: {option for action in one._actions for option in action.option_strings}
        for name, one in added.choices.items()
    }
