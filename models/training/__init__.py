"""How the demo model is made: photos and a teacher in, weights out. `python -m models train-demo` runs it."""
