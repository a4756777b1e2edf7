"""The forms in which clients write entries and read results: our own, and those of Cluster Serving."""
