"""What helps to decide, computed from exported reports: costs, the way to the server, factors, two runs.

    prices -> cost          what a prediction costs, and from which rate a dearer server is the cheaper
    uplinks -> end_to_end   with the time that the upload takes (modelled)
    sensitivity             which factor moved the answer most
    median_ratio -> compare one run against another

Nothing is measured here. docs/deciding.md defines every number.
"""
