"""What can be checked from the log alone."""
