"""What the log shows that somebody should look at: rules, and the entries they rest on.

A signal is never a verdict: a person confirms or dismisses it, and that is an entry of its own.
"""
