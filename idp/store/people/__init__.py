"""People and what they have enrolled."""
