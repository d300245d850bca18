"""What another system's event log says, made into the facts our metrics and rules are computed of.

None of it is an entry of ours, none is verified: whoever prints a figure of it says so beside it.
"""
