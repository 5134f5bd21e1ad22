#!/bin/sh
# joserfc 1.8.0, KeySet.import_key_set: a JWK whose `kty` it does not know is passed over, as RFC 7517 5 asks; one
# whose `kty` it knows and whose curve it does not costs the whole set, by a bare KeyError that is none of its own errors.
#
# RFC 7517 5: "Implementations SHOULD ignore JWKs within a JWK Set that use "kty" (key type) values that are not
# understood by them, that are missing required members, or for which values are out of the supported ranges."
# Both kinds are met where a provider moves to new algorithms: ML-DSA keys (kty AKP) beside EC ones, or Brainpool curves
# (crv BP-256), which health and identity systems in Germany publish beside P-256.
#
# Seen on 28 November 2026, Python 3.11:
#   joserfc 1.8.0
#   kty AKP beside P-256: 1 key(s): P-256
#   crv BP-256 beside P-256: KeyError: 'BP-256'
#   is it one of joserfc's errors: False
# Exit 1 when that changes. Installs into a temp folder; needs python3 and the network for pip.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check joserfc==1.8.0 cryptography==46.0.3

cat >"$dir/show.py" <<'PY'
import base64
from importlib.metadata import version

from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet


def member(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


point = ec.generate_private_key(ec.BrainpoolP256R1()).public_key().public_numbers()
others = {
    "kty AKP": {"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": base64.urlsafe_b64encode(bytes(1312)).decode()},
    "crv BP-256": {"kty": "EC", "crv": "BP-256", "kid": "bp", "x": member(point.x), "y": member(point.y)},
}
known = ECKey.generate_key("P-256", {"kid": "p256"}).as_dict(private=False)
print("joserfc", version("joserfc"))
for name, other in others.items():
    try:
        found = KeySet.import_key_set({"keys": [other, known]})
        print(f"{name} beside P-256: {len(found.keys)} key(s): {' '.join(key.as_dict()['crv'] for key in found.keys)}")
    except Exception as error:
        print(f"{name} beside P-256: {type(error).__name__}: {error}")
        print("is it one of joserfc's errors:", isinstance(error, JoseError))
PY
cat >"$dir/expected" <<'TXT'
joserfc 1.8.0
kty AKP beside P-256: 1 key(s): P-256
crv BP-256 beside P-256: KeyError: 'BP-256'
is it one of joserfc's errors: False
TXT
"$dir/venv/bin/python" "$dir/show.py" >"$dir/seen"
cat "$dir/seen"
diff "$dir/expected" "$dir/seen" || { echo "this is not what was seen before" >&2; exit 1; }
