"""The REST interface: what the pages do, for other programs; they act as a person, by a token."""
