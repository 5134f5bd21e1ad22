"""What a client gets and what it opens: the token endpoint, userinfo, introspection, revocation; clients and keys."""
