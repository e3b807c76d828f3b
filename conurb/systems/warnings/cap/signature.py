"""Whether a CAP message is signed, by whom, and whether that holds (clause 3.3.4.1).

Enveloped XML signatures over the whole message are taken, by the certificate that they carry.
Many senders indent a message after they signed it, the public samples of the WMO's validator among
them. White space between elements carries nothing in CAP, so a signature that holds for the
message without it holds, and the verdict's reason says so.

Three questions are kept apart: does the signature hold (`state`), was the certificate in force at
the time asked for (`in_force`), and do we trust who it names (`trusted`: the certificate, or one
that issued it, is among those given). SHA-1 and base64 that XML Schema doesn't allow are refused.

Needs the extra `warnings` (signxml); without it a signed message is `unchecked`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal

from conurb.errors import BadRequestDataError, OperationNotSupportedError
from conurb.systems.warnings.cap.shape import SIGNATURE_NAMESPACE
from conurb.systems.warnings.cap.xml import Element, children, local_name, namespace, read_xml

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

CHAIN_MAX: Final = 5
REASON_MAX: Final = 200

State = Literal["absent", "valid", "invalid", "unchecked"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of a message's signature.

    `signer` is the subject of the certificate (RFC 4514), `fingerprint` its SHA-256 in
    hexadecimal; both None when there is none that can be read.
    """

    state: State
    reason: str = ""
    signer: str | None = None
    fingerprint: str | None = None
    in_force: bool = False
    trusted: bool = False


def read_certificates(pem: bytes) -> tuple[Certificate, ...]:
    """Read trusted certificates from PEM; raise BadRequestDataError when it is none."""
    from cryptography import x509

    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise BadRequestDataError(f"trusted certificates: not PEM: {error}") from error


def verify(document: bytes, *, at: datetime, trusted: Sequence[Certificate] = ()) -> Verdict:
    """Judge the signature of a message, as of a time.

    Several signatures (a distributor's over the sender's) are `unchecked`: which of them covers
    what can't be told from the message. Raises as `read_xml` does for what isn't XML.
    """
    root = read_xml(document)
    signatures = [
        one
        for one in root.iter()
        if local_name(one) == "Signature" and namespace(one) == SIGNATURE_NAMESPACE
    ]
    if not signatures:
        return Verdict("absent")
    if len(signatures) > 1:
        return Verdict("unchecked", f"{len(signatures)} signatures")
    if signatures[0] not in children(root):
        return Verdict("invalid", "the signature doesn't stand at the end of the message")
    if find_spec("signxml") is None:
        return Verdict("unchecked", "signatures need: pip install 'conurb[warnings]'")
    return _judge(document, signatures[0], at, trusted)


def _judge(
    document: bytes, signature: Element, at: datetime, trusted: Sequence[Certificate]
) -> Verdict:
    chain = _chain(signature)
    if not chain:
        return Verdict("invalid", "carries no certificate that can be read")
    leaf = chain[0]
    signer, print_ = leaf.subject.rfc4514_string(), _fingerprint(leaf)
    references = [one for one in signature.iter() if local_name(one) == "Reference"]
    if len(references) != 1 or references[0].get("URI") != "":
        return Verdict("invalid", "doesn't cover the whole message", signer, print_)
    failure = _failure(document, leaf)
    reason = ""
    if failure is not None:
        if _failure(_without_blanks(document), leaf) is not None:
            return Verdict("invalid", failure, signer, print_)
        reason = "holds without the white space between elements: indented after signing"
    return Verdict(
        "valid",
        reason,
        signer,
        print_,
        in_force=leaf.not_valid_before_utc <= at.astimezone(UTC) <= leaf.not_valid_after_utc,
        trusted=_is_trusted(chain, trusted),
    )


def _failure(document: bytes, certificate: Certificate) -> str | None:
    """Give why no signature of this certificate over the message holds; None when one does."""
    from signxml.verifier import SignatureConfiguration, XMLVerifier

    # Force is judged for the time asked for, by us; here it only must not stand in the way.
    config = SignatureConfiguration(
        expect_references=1, verification_time=certificate.not_valid_before_utc
    )
    try:
        result = XMLVerifier().verify(document, x509_cert=certificate, expect_config=config)
    except Exception as error:  # libxml2's, signxml's and cryptography's have no common base.
        return f"{type(error).__name__}: {str(error)[:REASON_MAX]}"
    results = result if isinstance(result, list) else [result]
    if any(one.signed_xml is None or local_name(one.signed_xml) != "alert" for one in results):
        return "signs something else than the message"
    return None


def _without_blanks(document: bytes) -> bytes:
    from lxml import etree

    parser = etree.XMLParser(remove_blank_text=True, resolve_entities=False, no_network=True)
    return bytes(etree.tostring(etree.fromstring(document, parser)))


def _chain(signature: Element) -> list[Certificate]:
    """Read the certificates of a signature, the signer's first."""
    from cryptography import x509

    chain = []
    for element in signature.iter():
        if local_name(element) != "X509Certificate":
            continue
        try:
            der = base64.b64decode("".join((element.text or "").split()), validate=True)
            chain.append(x509.load_der_x509_certificate(der))
        except (binascii.Error, ValueError):
            return []
        if len(chain) > CHAIN_MAX:
            return []
    return chain


def _is_trusted(chain: Sequence[Certificate], trusted: Sequence[Certificate]) -> bool:
    """Whether a certificate is a trusted one, or issued by one through those that came along."""
    known = {_fingerprint(one) for one in trusted}
    at = chain[0]
    for _ in range(CHAIN_MAX):
        if _fingerprint(at) in known or any(_issued(at, one) for one in trusted):
            return True
        above = next((one for one in chain[1:] if one != at and _issued(at, one)), None)
        if above is None:
            return False
        at = above
    return False


def _issued(certificate: Certificate, issuer: Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # Wrong name, wrong kind of key, wrong signature: all mean no.
        return False
    return _may_issue(issuer)


def _may_issue(issuer: Certificate) -> bool:
    from cryptography import x509

    try:
        constraint = issuer.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return constraint.value.ca


def _fingerprint(certificate: Certificate) -> str:
    from cryptography.hazmat.primitives import hashes

    return certificate.fingerprint(hashes.SHA256()).hex()


def sign(document: bytes, *, key_pem: bytes, certificate_pem: bytes) -> bytes:
    """Sign a message: an enveloped signature, ECDSA or RSA with SHA-256 by the kind of the key.

    Raises OperationNotSupportedError without the extra `warnings`, BadRequestDataError for a key
    or a certificate that can't be read.
    """
    try:
        from signxml.algorithms import CanonicalizationMethod, SignatureMethod
        from signxml.signer import XMLSigner
    except ImportError as error:
        raise OperationNotSupportedError("signing needs: pip install 'conurb[warnings]'") from error
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from lxml import etree

    read_certificates(certificate_pem)
    try:
        key = load_pem_private_key(key_pem, None)
    except (ValueError, TypeError) as error:
        raise BadRequestDataError(f"signing key: not PEM without a password: {error}") from error
    elliptic = isinstance(key, EllipticCurvePrivateKey)
    signer = XMLSigner(
        signature_algorithm=SignatureMethod.ECDSA_SHA256
        if elliptic
        else SignatureMethod.RSA_SHA256,
        c14n_algorithm=CanonicalizationMethod.CANONICAL_XML_1_1,
    )
    signed = signer.sign(read_xml(document), key=key_pem, cert=certificate_pem.decode())
    return bytes(etree.tostring(signed, xml_declaration=True, encoding="UTF-8"))
