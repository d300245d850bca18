"""The risk-control index 管控指数 of communities and departments, from the metrics. Pure."""
