"""Signing in and out: from an authorization request to its answer."""
