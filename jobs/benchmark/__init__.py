"""What a queue does end to end, beside its model server asked directly."""
