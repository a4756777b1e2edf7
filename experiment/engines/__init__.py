"""Engines: where work runs. `local` is this machine; Ray and Spark bring others.

One file for each engine, with the interface of base.py; engine() in choose.py finds it by name.
"""
