"""The HTTP front end of Analytics Zoo's and BigDL's Cluster Serving, on a port of its own.

Its instances become jobs of the queue, and the request waits for their results.
"""
