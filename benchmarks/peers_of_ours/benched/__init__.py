"""An application of Django: it has one flow."""
