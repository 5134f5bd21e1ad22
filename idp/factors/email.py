"""Codes by e-mail: derived as those by text message, and bound to the address they go to. No sending, no counting."""

import hashlib


def details(address: str) -> bytes:
    """What a code for this address is derived with: sent to one address, it is wrong for any other."""
    return hashlib.sha256(address.encode()).digest()
