"""What is issued: codes, grants, refresh tokens; the clients, consents and keys it is issued with."""
