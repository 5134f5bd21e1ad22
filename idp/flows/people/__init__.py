"""What signed-in people do with their own account."""
