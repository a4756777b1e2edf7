"""A request of a run for other tools, such as curl, ghz and Locust: the same bytes to the same backend."""
