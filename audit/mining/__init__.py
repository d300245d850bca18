"""Process mining: the events of cases as rows, their standard formats, and what rows tell."""
