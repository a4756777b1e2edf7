"""The gateway: pictures in, JSON out. A stateless process of its own beside the page, so that answering never
disturbs measuring.

It puts photos into the queue (`experiment/queue`) and reads their results, asks a model server directly, and
answers as Cluster Serving's HTTP front end did. `python -m gateway --port 4343` starts it.
"""
