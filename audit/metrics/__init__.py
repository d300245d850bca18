"""The metrics of a street, from the log alone."""
