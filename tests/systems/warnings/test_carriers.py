"""Signatures, feeds and envelopes: public ones judged right, ours valid by the standards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from conurb.errors import BadRequestDataError
from conurb.systems.warnings.cap.atom import Published, read_feed, write_feed
from conurb.systems.warnings.cap.edxl import Envelope, read_envelope, write_envelope
from conurb.systems.warnings.cap.read import read
from conurb.systems.warnings.cap.signature import read_certificates, sign, verify
from conurb.systems.warnings.cap.write import write
from conurb.systems.warnings.cap.xml import as_utf8

from .certificates import make_certificate
from .sources import NOW, an_alert, needs_data, read_data

signxml = pytest.importorskip("signxml", reason="signatures need the extra: warnings")

IN_FORCE = datetime(2024, 8, 1, tzinfo=UTC)
"""When the certificates of the public samples were in force."""


# ── signatures ────────────────────────────────────────────────────────────────────────────────


@needs_data
@pytest.mark.parametrize("country", ["bf", "sc", "tg"])
def test_a_valid_public_signature_holds_and_names_its_signer(country: str) -> None:
    verdict = verify(read_data(f"standards/cap/{country}/valid.xml"), at=IN_FORCE)
    assert verdict.state == "valid"
    assert verdict.signer in ("CN=www.meteoburkina.bf", "CN=www.meteo.sc", "CN=www.anamet-togo.com")
    assert verdict.in_force
    assert not verdict.trusted


@needs_data
@pytest.mark.parametrize("country", ["sc", "tg"])
@pytest.mark.parametrize("what", ["digest", "signature", "certificate"])
def test_a_bad_digest_signature_or_certificate_is_found(country: str, what: str) -> None:
    verdict = verify(read_data(f"standards/cap/{country}/invalid_{what}.xml"), at=IN_FORCE)
    assert verdict.state == "invalid"
    assert verdict.reason


@needs_data
def test_a_message_that_was_changed_after_signing_is_found() -> None:
    document = read_data("standards/cap/sc/valid.xml")
    changed = document.replace(b"Moderate</severity>", b"Extreme</severity>")
    assert changed != document
    assert verify(changed, at=IN_FORCE).state == "invalid"


@needs_data
def test_a_certificate_is_in_force_only_in_its_time() -> None:
    document = read_data("standards/cap/sc/valid.xml")
    assert not verify(document, at=datetime(2026, 1, 1, tzinfo=UTC)).in_force


@needs_data
def test_without_a_signature_there_is_none_and_two_are_not_judged() -> None:
    assert verify(read_data("standards/cap/sc/no_signature.xml"), at=IN_FORCE).state == "absent"
    assert verify(read_data("alerts/google_canada_signed.cap"), at=IN_FORCE).state == "unchecked"


def test_our_own_signature_holds_and_is_trusted_by_its_issuer_alone() -> None:
    _, issuer_pem, issuer = make_certificate("issuer")
    _, other_pem, _ = make_certificate("other issuer")
    key, certificate, _ = make_certificate("city", issuer=issuer)
    document = sign(write(an_alert("wuxi")), key_pem=key, certificate_pem=certificate)
    assert read(document) == an_alert("wuxi")
    by_issuer = verify(document, at=NOW, trusted=read_certificates(issuer_pem))
    assert (by_issuer.state, by_issuer.trusted, by_issuer.in_force) == ("valid", True, True)
    assert by_issuer.signer == "CN=city"
    assert not verify(document, at=NOW, trusted=read_certificates(other_pem)).trusted
    assert verify(document, at=NOW, trusted=read_certificates(certificate)).trusted


def test_a_city_certificate_cannot_vouch_for_another() -> None:
    _, _, root = make_certificate("root")
    _, city_pem, city = make_certificate("city", issuer=root)
    key, certificate, _ = make_certificate("impostor", issuer=city)
    document = sign(write(an_alert("wuxi")), key_pem=key, certificate_pem=certificate)
    verdict = verify(document, at=NOW, trusted=read_certificates(city_pem))
    assert (verdict.state, verdict.trusted) == ("valid", False)


def test_a_signature_hidden_inside_of_the_message_does_not_count() -> None:
    key, certificate, _ = make_certificate("city")
    root = etree.fromstring(sign(write(an_alert("wuxi")), key_pem=key, certificate_pem=certificate))
    root[-2].append(root[-1])
    assert verify(etree.tostring(root), at=NOW).state == "invalid"


def test_a_signed_message_in_another_encoding_stays_whole_in_utf_8() -> None:
    key, certificate, _ = make_certificate("city")
    signed = sign(write(an_alert("wuxi")), key_pem=key, certificate_pem=certificate)
    chinese = etree.tostring(etree.fromstring(signed), xml_declaration=True, encoding="GB18030")
    assert verify(chinese, at=NOW).state == "valid"
    kept = as_utf8(chinese)
    assert "预警" in kept
    assert (read(kept.encode()), verify(kept.encode(), at=NOW).state) == (read(signed), "valid")
    assert as_utf8(signed).encode() == signed


# ── feeds ─────────────────────────────────────────────────────────────────────────────────────


def test_what_a_feed_publishes_is_read_back_newest_first_and_is_atom() -> None:
    alerts = [an_alert("wuxi"), an_alert("shanghai", at=NOW + timedelta(hours=1))]
    published = [Published(one, write(one), f"https://x/{one.identifier}.cap") for one in alerts]
    feed = write_feed(published, url="https://x/feed", title="t", author="a", updated=NOW)
    _check_atom(etree.fromstring(feed))
    entries = read_feed(feed)
    assert [entry.link for entry in entries] == [
        f"https://x/{one.identifier}.cap" for one in reversed(alerts)
    ]
    assert [read(entry.document or b"") for entry in entries] == list(reversed(alerts))


def _check_atom(feed: etree._Element) -> None:
    """Hold what RFC 4287 asks of a feed and its entries (4.1.1, 4.1.2, 4.1.3.3)."""
    atom = "{http://www.w3.org/2005/Atom}"
    for one in (feed, *feed.findall(f"{atom}entry")):
        for name in ("id", "title", "updated"):
            assert len(one.findall(f"{atom}{name}")) == 1
            assert one.findtext(f"{atom}{name}")
        assert one.find(f"{atom}author/{atom}name") is not None
        assert datetime.fromisoformat(one.findtext(f"{atom}updated") or "").tzinfo is not None
        links = [(link.get("rel"), link.get("type")) for link in one.findall(f"{atom}link")]
        assert len(links) == len(set(links)) == 1
    for content in feed.iter(f"{atom}content"):
        assert content.get("type") == "text/xml"
        assert len(content) == 1


@needs_data
def test_public_feeds_are_read_with_and_without_their_messages() -> None:
    [amber] = read_feed(read_data("alerts/google_amber.atom"))
    assert amber.document is not None
    assert read(amber.document).infos[0].event == "Child Abduction"
    index = read_feed(read_data("alerts/ibm_nws_atom_feed_example.xml"))
    assert len(index) > 100
    assert all(one.document is None and one.link for one in index)


def test_what_is_no_feed_is_refused() -> None:
    with pytest.raises(BadRequestDataError, match="not an Atom feed"):
        read_feed(write(an_alert("wuxi")))


# ── envelopes ─────────────────────────────────────────────────────────────────────────────────


def an_envelope(status: str = "Actual") -> Envelope:
    return Envelope(
        "urn:x:1", "w@x", NOW, status, "Report", "Unclassified", ("320500",), (WUXI, SHANGHAI)
    )


WUXI, SHANGHAI = write(an_alert("wuxi")), write(an_alert("shanghai"))


def test_an_envelope_is_valid_by_the_schema_of_oasis_and_comes_back_the_same() -> None:
    document = write_envelope(an_envelope())
    schema = etree.XMLSchema(
        etree.fromstring(read_data("standards/cap/schema/feed/edxlde-1_0.xsd"))
    )
    assert schema.validate(etree.fromstring(document)), schema.error_log
    found = read_envelope(document)
    assert (found.id, found.status, found.type) == ("urn:x:1", "Actual", "Report")
    assert (found.city_codes, found.sent) == (("320500",), NOW)
    assert [read(one) for one in found.documents] == [read(WUXI), read(SHANGHAI)]


def test_a_draft_goes_in_no_envelope() -> None:
    with pytest.raises(BadRequestDataError, match="'Draft'"):
        write_envelope(an_envelope("Draft"))


def test_an_envelope_that_lacks_something_says_what() -> None:
    document = write_envelope(an_envelope()).replace(b"Report<", b"Rumour<")
    with pytest.raises(BadRequestDataError, match="distributionType: 'Rumour'"):
        read_envelope(document)
