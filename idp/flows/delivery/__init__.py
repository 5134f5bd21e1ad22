"""Messages on their way: what they say, whether they may be sent, sending. Knows nothing of sign-in."""
