"""The risk-control index 管控指数 of communities, from what the metrics count. Pure."""
