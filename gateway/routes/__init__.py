"""The routes, by group. Each file has its rows in ROUTES."""
