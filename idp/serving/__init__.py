"""The provider brought up on a machine: its database and keys, its socket, its processes. No command line."""
