"""Messages on their way: the outbox, its tries and receipts, and what they may cost. Knows nothing of sign-in."""
