"""What a report says of cells that were put under load: curves, capacity, two runs side by side.

    defaults       what to put under load, and within which limit, where nobody chose
    capacities     the numbers of a curve, in words and for other sections
    figure         latency over the rate
    section        the section "Under load"
    comparison     the capacities of two runs

The loads themselves are sent by the package loadtest. docs/load.md describes them, docs/numbers.md defines
every number.
"""
