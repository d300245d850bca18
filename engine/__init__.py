"""What moves a case: definitions, replay, commands, people, deadlines."""
