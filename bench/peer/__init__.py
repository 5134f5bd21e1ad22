"""node-oidc-provider with PostgreSQL, run beside ours. The server is JavaScript; what asks and measures it is here."""
