"""Where points come from, and who is a member of which model."""
