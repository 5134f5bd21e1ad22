"""Signing keys and their rotation (A3, A11)."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from idp.oidc.jws import Untrusted
from idp.oidc.keys import ALGORITHMS, KeyRing, KeyState, generate, load

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}


def test_a3_the_published_keys_are_public_and_told_apart(keys: KeyRing) -> None:
    published = keys.jwks()["keys"]
    assert len({key["kid"] for key in published}) == len(published) == 2
    for key in published:
        assert key["kty"] in {"RSA", "EC"}
        assert key["use"] == "sig"
        assert key["alg"] in ALGORITHMS
        assert not PRIVATE & key.keys()


def test_the_published_document_cannot_change_the_ring(keys: KeyRing) -> None:
    document = keys.jwks()
    document["keys"][0]["kid"] = "x"
    document["keys"].clear()
    assert keys.jwks()["keys"][0]["kid"] != "x"


def test_nothing_that_is_printed_shows_a_private_key(key_bytes: Mapping[str, bytes]) -> None:
    for jwk in key_bytes.values():
        printed = repr(load(jwk, state=KeyState.CURRENT))
        assert not any(json.loads(jwk)[name] in printed for name in PRIVATE & json.loads(jwk).keys())


def test_rsa_keys_have_2048_bits(keys: KeyRing) -> None:
    key = keys.current("RS256").key
    assert isinstance(key, RSAKey)
    assert key.public_key.key_size == 2048


def test_there_are_no_keys_of_other_kinds() -> None:
    with pytest.raises(ValueError, match="HS256"):
        generate("HS256")


@pytest.mark.parametrize("jwk", ["public", "no kid", "no alg"])
def test_only_a_private_key_of_ours_is_loaded(jwk: str) -> None:
    key = ECKey.generate_key("P-256", {"kid": "k", "alg": "ES256"})
    wrong = {
        "public": key.as_dict(private=False),
        "no kid": ECKey.generate_key("P-256", {"alg": "ES256"}).as_dict(private=True),
        "no alg": ECKey.generate_key("P-256", {"kid": "k"}).as_dict(private=True),
    }[jwk]
    with pytest.raises(ValueError, match="private signing key"):
        load(json.dumps(wrong).encode(), state=KeyState.CURRENT)


def test_exactly_one_key_signs_for_each_algorithm(key_bytes: Mapping[str, bytes]) -> None:
    rsa, ec = (load(key_bytes[algorithm], state=KeyState.CURRENT) for algorithm in ALGORITHMS)
    another = load(generate("ES256"), state=KeyState.CURRENT)
    retired = load(key_bytes["ES256"], state=KeyState.RETIRED)
    for wrong in ([], [rsa], [rsa, ec, another], [rsa, retired], [ec, another]):
        with pytest.raises(ValueError, match="exactly one current key"):
            KeyRing(wrong)


def test_a11_rotation_keeps_old_tokens_good_and_signs_with_the_new_key(
    keys: KeyRing,
    key_bytes: Mapping[str, bytes],
    independently: Callable[[str, KeyRing], tuple[dict[str, Any], dict[str, Any]]],
) -> None:
    fresh = generate("ES256")
    rsa = load(key_bytes["RS256"], state=KeyState.CURRENT)
    before = KeyRing([rsa, load(key_bytes["ES256"], state=KeyState.CURRENT), load(fresh, state=KeyState.NEXT)])
    after = KeyRing([rsa, load(key_bytes["ES256"], state=KeyState.RETIRED), load(fresh, state=KeyState.CURRENT)])
    new_kid, old_kid = json.loads(fresh)["kid"], json.loads(key_bytes["ES256"])["kid"]

    # published before it signs, and still published after it has signed
    assert {key["kid"] for key in before.jwks()["keys"]} == {key["kid"] for key in after.jwks()["keys"]}
    old = before.sign({"n": 1}, algorithm="ES256", typ="JWT")
    new = after.sign({"n": 2}, algorithm="ES256", typ="JWT")
    assert independently(old, after) == ({"alg": "ES256", "kid": old_kid, "typ": "JWT"}, {"n": 1})
    assert independently(new, before) == ({"alg": "ES256", "kid": new_kid, "typ": "JWT"}, {"n": 2})
    assert after.verify(old, typ="JWT") == {"n": 1}
    # another node may rotate first
    assert before.verify(new, typ="JWT") == {"n": 2}

    gone = KeyRing([rsa, load(fresh, state=KeyState.CURRENT)])
    with pytest.raises(Untrusted):
        gone.verify(old, typ="JWT")


def test_one_key_signs_every_time(keys: KeyRing) -> None:
    headers = {keys.sign({}, algorithm="RS256", typ="JWT").split(".")[0] for _ in range(8)}
    assert len(headers) == 1
