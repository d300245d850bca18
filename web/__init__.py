"""What a person or another system touches: pages, PDF, command line, configuration."""
