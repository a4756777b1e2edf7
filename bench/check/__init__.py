"""How often `python -m experiment check` fails a run that keeps its goals, and finds one that does not."""
