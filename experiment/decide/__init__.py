"""What helps to decide, computed from exported reports: costs, uplink, factors, two runs.

    prices, cost, cost_figures, cost_section       what a prediction costs, and on which server
    uplinks, end_to_end, uplink_section            with the time that the upload takes (modelled)
    sensitivity, sensitivity_section               which factor moved the answer most
    differences, compare, compare_section          one run against another
    other_goals                                    the recommendation for other goals
    evidence                                       how sure a run is, and what more photos would tell
    section, sections                              what the page and the HTML report take of all this

Nothing is measured here. docs/deciding.md defines every number.
"""
