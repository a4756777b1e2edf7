"""Damaged input for everything that reads input from outside: python -m fuzz, or `make fuzz`."""
