"""Hashes of other systems: right and wrong passwords, and what is refused before any work."""

import hashlib

import argon2
import bcrypt
import pytest

from idp.errors import Unavailable
from idp.factors import hashes
from idp.factors.hashes import Unfit
from idp.factors.password import Password, needs_rehash, verify
from tests.world.cost import in_passwords

RIGHT = "Grüße, 3 Möwen"
SALT = b"0123456789abcdef"


def pbkdf2(name: str, iterations: int = 1_000, length: int | None = None, password: str = RIGHT) -> str:
    made = hashlib.pbkdf2_hmac(name, password.encode(), SALT, iterations, length)
    return hashes.pbkdf2(name, iterations, SALT, made)


def argon(kind: argon2.Type = argon2.Type.ID, **costs: int) -> str:
    costs = {"time_cost": 1, "memory_cost": 64, "parallelism": 1} | costs
    return argon2.PasswordHasher(**costs, type=kind).hash(RIGHT)  # type: ignore[arg-type] # numbers, all of them


def crypt(password: str = RIGHT) -> str:
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(pbkdf2("sha1", length=64), id="PBKDF2 SHA-1, four blocks"),
        pytest.param(pbkdf2("sha256"), id="PBKDF2 SHA-256"),
        pytest.param(pbkdf2("sha512", length=64), id="PBKDF2 SHA-512"),
        pytest.param(pbkdf2("sha512", length=16), id="PBKDF2, less than a block"),
        pytest.param(argon(), id="argon2id"),
        pytest.param(argon(argon2.Type.I), id="argon2i"),
        pytest.param(argon(argon2.Type.D), id="argon2d"),
        pytest.param(crypt(), id="bcrypt"),
        pytest.param(crypt().replace("$2b$", "$2a$"), id="bcrypt 2a"),
        pytest.param(crypt().replace("$2b$", "$2y$"), id="bcrypt 2y"),
    ],
)
def test_the_right_password_is_right_and_is_hashed_anew(stored: str) -> None:
    assert verify(Password(RIGHT), hashed=stored)
    assert not verify(Password(RIGHT + "!"), hashed=stored)
    assert needs_rehash(Password(RIGHT), hashed=stored)


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        pytest.param("$pbkdf2-sha256$i=900000000,l=32$AAAA$AAAA", Unfit.TOO_DEAR, id="iterations"),
        pytest.param("$pbkdf2-sha512$i=2000001,l=32$AAAA$AAAA", Unfit.TOO_DEAR, id="iterations of SHA-512"),
        pytest.param("$argon2id$v=19$m=4194304,t=1,p=1$" + "A" * 22 + "$" + "A" * 43, Unfit.TOO_DEAR, id="memory"),
        pytest.param("$argon2id$v=19$m=65536,t=99999,p=1$" + "A" * 22 + "$" + "A" * 43, Unfit.TOO_DEAR, id="passes"),
        pytest.param("$argon2id$v=19$m=65536,t=1,p=255$" + "A" * 22 + "$" + "A" * 43, Unfit.TOO_DEAR, id="lanes"),
        pytest.param("$argon2id$v=19$m=128,t=8192,p=16$" + "A" * 22 + "$" + "A" * 43, Unfit.TOO_DEAR, id="threads"),
        pytest.param("$argon2id$v=19$m=127,t=1,p=16$" + "A" * 22 + "$" + "A" * 43, Unfit.UNREADABLE, id="no memory"),
        pytest.param("$argon2id$v=99$m=64,t=1,p=1$" + "A" * 22 + "$" + "A" * 43, Unfit.UNREADABLE, id="version"),
        pytest.param("$2b$10$" + "A" * 22 + "O" * 31, Unfit.UNREADABLE, id="bits beyond the salt"),
        pytest.param("$2b$10$" + "O" * 52 + "A", Unfit.UNREADABLE, id="bits beyond the hash"),
        pytest.param("$2b$15$" + "O" * 53, Unfit.TOO_DEAR, id="bcrypt"),
        pytest.param("$2b$31$" + "O" * 53, Unfit.TOO_DEAR, id="bcrypt for ever"),
        pytest.param("$pbkdf2-sha256$i=999,l=32$AAAA$AAAA", Unfit.WEAK, id="few iterations"),
        pytest.param("$pbkdf2-sha256$i=1000,l=3$AAAA$AAAA", Unfit.UNREADABLE, id="three bytes"),
        pytest.param("$pbkdf2-sha256$i=1000,l=32$AAAA$AAAA", Unfit.UNREADABLE, id="another length"),
        pytest.param("$pbkdf2-sha256$i=0,l=32$AAAA$AAAA", Unfit.UNREADABLE, id="no iterations"),
        pytest.param("$pbkdf2-md5$i=1000,l=16$AAAA$AAAA", Unfit.UNREADABLE, id="MD5"),
        pytest.param("$2x$10$" + "O" * 53, Unfit.UNREADABLE, id="the broken bcrypt"),
        pytest.param("$2b$03$" + "O" * 53, Unfit.UNREADABLE, id="bcrypt of nothing"),
        pytest.param("$1$salt$" + "A" * 22, Unfit.UNREADABLE, id="MD5-crypt"),
        pytest.param("{SSHA}AAAA", Unfit.UNREADABLE, id="SSHA"),
        pytest.param("$argon2id$v=19$m=64,t=1,p=1$" + "A" * 500, Unfit.UNREADABLE, id="long"),
        pytest.param("$pbkdf2-sha256$i=1000,l=32$AAAA$AAAA\n", Unfit.UNREADABLE, id="line end"),
        pytest.param("$pbkdf2-sha256$i=\u0661000,l=32$AAAA$AAAA", Unfit.UNREADABLE, id="other digits"),
    ],
)
def test_what_costs_too_much_or_nothing_is_refused_before_any_work(stored: str, why: Unfit) -> None:
    def refused() -> None:
        assert hashes.read(stored) is why
        with pytest.raises(Unavailable):
            verify(Password(RIGHT), hashed=stored)

    assert in_passwords(refused) < 0.5
    assert not needs_rehash(Password(RIGHT), hashed=stored)


def test_bcrypt_looks_at_72_bytes_and_its_hash_then_stays() -> None:
    long = "long and longer " * 10
    stored = crypt(long)
    assert verify(Password(long), hashed=stored)
    assert verify(Password(long + "mistyped"), hashed=stored)
    assert not needs_rehash(Password(long), hashed=stored)
    assert needs_rehash(Password(long[:72]), hashed=stored)


def test_a_hash_is_never_shown() -> None:
    for stored in (pbkdf2("sha256"), argon(), crypt()):
        assert stored.rpartition("$")[2] not in repr(hashes.read(stored))
