"""One worker: claims entries, has them answered, commits results. It does not know where it runs."""
