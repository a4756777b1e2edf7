"""A run judged against a file of goals: pass, fail, or not clear. `python -m experiment check` prints it."""
