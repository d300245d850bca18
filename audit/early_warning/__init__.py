"""Early warning 预警: where a metric crosses a line that was drawn before. Pure.

A warning is no verdict: it says which figure crossed which line, as of which position of the log.
"""
