#!/bin/sh
# argon2-cffi 25.1.0: `verify` and `extract_parameters` take one and the same hash for two versions of Argon2. One that
# says no version (as the reference implementation wrote them until 2016, and as old exports still have them) is compared
# as version 16 (0x10), and said to be of version 18: who makes the hash anew with what was extracted makes another.
#
# The reference decoder takes a string without `v=` for version 0x10, and knows 0x10 and 0x13 alone; no version of
# Argon2 is called 18. The number goes into the first block (RFC 9106 3.2), so a hash "of version 18" is nobody's: it is
# made without an error, and is right for no password. It is met where hashes move: parameters are taken apart for a
# system that stores them in columns of their own (Keycloak's `version`, `memory`, `hashIterations`).
#
# Seen on 28 November 2026, Python 3.11:
#   argon2-cffi 25.1.0
#   verify, the hash says no version: True
#   extract_parameters says version: 18
#   made anew of what was extracted: another hash
#   made anew as version 16: the same hash
#   made anew as version 19: another hash
# Exit 1 when that changes. Installs into a temp folder; needs python3 and the network for pip.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check argon2-cffi==25.1.0 argon2-cffi-bindings==25.1.0

cat >"$dir/show.py" <<'PY'
import base64
from importlib.metadata import version

from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type, hash_secret_raw

PASSWORD, SALT = b"seven boats in a row", b"sixteen bytes of"


def unpadded(value: bytes) -> str:
    return base64.b64encode(value).rstrip(b"=").decode()


raw = hash_secret_raw(PASSWORD, SALT, 2, 64, 1, 32, Type.I, 0x10)
stored = f"$argon2i$m=64,t=2,p=1${unpadded(SALT)}${unpadded(raw)}"
found = extract_parameters(stored)


def again(as_version: int) -> str:
    """What the same password gives with the parameters that were extracted."""
    costs = (found.time_cost, found.memory_cost, found.parallelism, found.hash_len, found.type)
    return "the same hash" if hash_secret_raw(PASSWORD, SALT, *costs, as_version) == raw else "another hash"


print("argon2-cffi", version("argon2-cffi"))
print("verify, the hash says no version:", PasswordHasher().verify(stored, PASSWORD))
print("extract_parameters says version:", found.version)
print("made anew of what was extracted:", again(found.version))
print("made anew as version 16:", again(16))
print("made anew as version 19:", again(19))
PY
cat >"$dir/expected" <<'TXT'
argon2-cffi 25.1.0
verify, the hash says no version: True
extract_parameters says version: 18
made anew of what was extracted: another hash
made anew as version 16: the same hash
made anew as version 19: another hash
TXT
"$dir/venv/bin/python" "$dir/show.py" >"$dir/seen"
cat "$dir/seen"
diff "$dir/expected" "$dir/seen" || { echo "this is not what was seen before" >&2; exit 1; }
