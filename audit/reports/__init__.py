"""What reports say, computed from entries alone: structured facts, no sentences, no looks."""
