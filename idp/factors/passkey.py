"""Passkeys (WebAuthn Level 3): what a browser sent, judged. Pure; loads a library, so only where something is judged.

`webauthn` judges signatures, origin, RP id, type, flags and attestation; what it leaves to its caller is done here. The
challenge is the caller's business: `credentials` reads it, and whether it is ours is looked at before all else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.x509.oid import NameOID
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import parse_attestation_object, validate_certificate_chain
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AttestationFormat,
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    CredentialDeviceType,
    RegistrationCredential,
)

from idp.factors.credentials import ALGORITHMS, LONGEST_ID, Assertion, Offered, Relying, written

# Those whose certificates say that the key is in hardware of its maker.
_VOUCHING = (
    AttestationFormat.PACKED,
    AttestationFormat.TPM,
    AttestationFormat.FIDO_U2F,
    AttestationFormat.ANDROID_KEY,
    AttestationFormat.APPLE,
)


@dataclass(frozen=True, slots=True)
class Registered:
    """A new passkey that may be stored. `attested`: a named root vouches that its key stays in its hardware."""

    credential_id: bytes
    public_key: bytes = field(repr=False)
    count: int
    eligible: bool
    copied: bool
    verified: bool
    attested: bool
    aaguid: str
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """A right answer, as far as one can tell without its count. `verified`: the passkey made sure who held it."""

    count: int
    copied: bool
    verified: bool


@dataclass(frozen=True, slots=True)
class Unfit:
    """Not right; `why` is for the log alone."""

    why: str


def register(offered: Offered, *, relying: Relying, roots: Sequence[bytes]) -> Registered | Unfit:
    """Judge a new passkey for the challenge that it names (WebAuthn 7.1). `roots` are PEM certificates of makers.

    It has to be a discoverable one of ours, from one of our pages, made while somebody touched it.
    """
    if offered.elsewhere:
        return Unfit("made inside a page of another origin")
    credential = RegistrationCredential(
        id=written(offered.credential_id),
        raw_id=offered.credential_id,
        response=AuthenticatorAttestationResponse(
            client_data_json=offered.client_data, attestation_object=offered.attestation
        ),
    )

    def judged(by: Mapping[AttestationFormat, list[bytes]]) -> Registered:
        found = verify_registration_response(
            credential=credential,
            expected_challenge=offered.challenge,
            expected_rp_id=relying.id,
            expected_origin=list(relying.origins),
            supported_pub_key_algs=[COSEAlgorithmIdentifier(each) for each in ALGORITHMS],
            pem_root_certs_bytes_by_fmt=by,
        )
        eligible = found.credential_device_type is CredentialDeviceType.MULTI_DEVICE
        return Registered(
            credential_id=found.credential_id,
            public_key=found.credential_public_key,
            count=found.sign_count,
            eligible=eligible,
            copied=found.credential_backed_up,
            verified=found.user_verified,
            # What may be copied is not bound to hardware, whoever made it.
            attested=found.fmt in by and not eligible and _is_of(roots, found.attestation_object),
            aaguid=found.aaguid,
            transports=offered.transports,
        )

    try:
        registered = _vouched(judged, roots) or judged({})
    except Exception as error:  # noqa: BLE001 - whatever its parsers make of a stranger's bytes, it is no passkey
        return Unfit(f"{type(error).__name__}: {error}")
    # WebAuthn 7.1, step 25; and the browser named the one that the authenticator made
    if registered.credential_id != offered.credential_id or len(registered.credential_id) > LONGEST_ID:
        return Unfit("the credential id is another, or too long")
    return registered


Judge = Callable[[Mapping[AttestationFormat, list[bytes]]], Registered]


def _vouched(judged: Judge, roots: Sequence[bytes]) -> Registered | None:
    """As a passkey that a maker among `roots` vouches for; None where none does, which is nothing wrong."""
    if not roots:
        return None
    try:
        return judged({each: list(roots) for each in _VOUCHING})
    except Exception:  # noqa: BLE001 - it may still be a passkey that nobody vouches for
        return None


def _is_of(roots: Sequence[bytes], attestation: bytes) -> bool:
    """Whether one of these makers vouches, by a certificate for passkeys. Its signature was checked before.

    Raises where the chain ends elsewhere.
    """
    parsed = parse_attestation_object(attestation)
    chain = parsed.att_stmt.x5c
    if not chain:
        # Packed self attestation (WebAuthn 8.2) is signed by the new key itself, which proves nothing of where it is.
        return False
    # The library believes Apple and Google too, whom the operator may not have named.
    validate_certificate_chain(x5c=chain, pem_root_certs_bytes=list(roots))
    key = parsed.auth_data.attested_credential_data
    return parsed.fmt != AttestationFormat.PACKED or (key is not None and _is_for_passkeys(chain[0], key.aaguid))


_MODEL = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")  # id-fido-gen-ce-aaguid


def _is_for_passkeys(certificate: bytes, aaguid: bytes) -> bool:
    # WebAuthn 8.2.1: makers vouch for other keys under the same root, some of which sign whatever their owner likes.
    leaf = x509.load_der_x509_certificate(certificate)
    units = [each.value for each in leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)]
    if units != ["Authenticator Attestation"] or leaf.version is not x509.Version.v3:
        return False
    if leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        return False
    models = [each.value for each in leaf.extensions if each.oid == _MODEL]
    # An OCTET STRING (X.690 8.7) of 16 bytes
    return all(isinstance(each, x509.UnrecognizedExtension) and each.value == b"\x04\x10" + aaguid for each in models)


def check(
    assertion: Assertion,
    *,
    relying: Relying,
    public_key: bytes,
    handle: bytes,
    eligible: bool,
    must_verify: bool,
) -> Checked | Unfit:
    """Judge an answer to the challenge that it names (WebAuthn 7.2), by the key of the passkey that it names.

    `handle` is the person's. Without `must_verify` a touch is enough. The count is the caller's to compare, in the
    statement that stores it.
    """
    if assertion.elsewhere:
        return Unfit("made inside a page of another origin")
    # WebAuthn 7.2, step 6
    if assertion.handle is not None and assertion.handle != handle:
        return Unfit("the user handle is another person's")
    credential = AuthenticationCredential(
        id=written(assertion.credential_id),
        raw_id=assertion.credential_id,
        response=AuthenticatorAssertionResponse(
            client_data_json=assertion.client_data,
            authenticator_data=assertion.authenticator_data,
            signature=assertion.signature,
            user_handle=assertion.handle,
        ),
    )
    try:
        found = verify_authentication_response(
            credential=credential,
            expected_challenge=assertion.challenge,
            expected_rp_id=relying.id,
            expected_origin=list(relying.origins),
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=must_verify,
        )
    except Exception as error:  # noqa: BLE001 - whatever its parsers make of a stranger's bytes, it is no answer
        return Unfit(f"{type(error).__name__}: {error}")
    # WebAuthn 7.2, step 19: whether it may be copied never changes
    if (found.credential_device_type is CredentialDeviceType.MULTI_DEVICE) is not eligible:
        return Unfit("it may be copied now, or may not any more")
    return Checked(found.new_sign_count, found.credential_backed_up, found.user_verified)


def goes_on(count: int, *, after: int) -> bool:
    """Whether a count of signatures may follow another (WebAuthn 6.1.1): it grows, or is zero for ever."""
    return count > after or count == after == 0
