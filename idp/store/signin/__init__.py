"""Signing in: sessions, paused requests, questions, and the proofs that answer them."""
