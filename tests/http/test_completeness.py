"""Headers say who answered for a region, in a form that every client can read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import orjson

from conurb.federation.completeness import (
    Absence,
    Completeness,
    FederatedAnswer,
    FederatedEvolutionPage,
    Skip,
)
from conurb.http.completeness import completeness_headers, with_completeness
from conurb.http.exchange import Answer as Response
from conurb.http.exchange import Exchange
from conurb.http.params import NONE
from conurb.node.consume import Answer


def request(**headers: str) -> Exchange:
    """Make what of a request the headers and the body of an answer depend on."""
    given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return cast("Exchange", SimpleNamespace(headers=given, params=NONE, completeness=None))


def test_one_node_says_nothing() -> None:
    asked = request(conurb_completeness="body")
    assert completeness_headers(asked, Answer([])) == []
    assert with_completeness(asked, Response(200, b"[]")) == Response(200, b"[]")


def test_who_asks_for_it_is_told_in_the_body_too() -> None:
    said = Completeness(
        ("region", "huzhou"),
        (Absence("huzhou", "no answer in 5 s"),),
        copied=(("wuxi", 12.0),),
        skipped=(Skip("suzhou", "none of its objects lie there", 3.0),),
    )
    found = FederatedAnswer([], completeness=said)
    asked, other = request(conurb_completeness="body"), request()
    assert completeness_headers(asked, found) == completeness_headers(other, found)
    assert with_completeness(other, Response(200, b"[]")).body == b"[]"
    assert orjson.loads(with_completeness(asked, Response(200, b'[{"id": "urn:a"}]')).body) == {
        "answer": [{"id": "urn:a"}],
        "completeness": {
            "asked": ["region", "huzhou"],
            "missing": [{"node": "huzhou", "code": 199, "reason": "no answer in 5 s"}],
            "copied": [{"node": "wuxi", "ageS": 12.0}],
            "skipped": [{"node": "suzhou", "ageS": 3.0, "reason": "none of its objects lie there"}],
            "notes": [],
            "countIsExact": True,
        },
    }


def test_who_answered_and_who_did_not_is_said() -> None:
    missing = (Absence("huzhou", "no answer in 5 s"), Absence("wuxi", 'store "wuxi"\n坏了'))
    said = Completeness(("region", "huzhou", "wuxi"), missing)
    for answer in (
        FederatedAnswer([], completeness=said),
        FederatedEvolutionPage([], completeness=said),
    ):
        assert completeness_headers(request(), answer) == [
            (b"conurb-completeness", b"1/3"),
            (b"ngsild-warning", b'199 huzhou "no answer in 5 s"'),
            (b"ngsild-warning", b"199 wuxi \"store 'wuxi' ??\""),
        ]


def test_a_count_that_is_a_sum_is_said_to_be_one() -> None:
    said = Completeness(("region", "wuxi"), count_is_exact=False)
    [(name, value)] = completeness_headers(request(), FederatedAnswer([], completeness=said))
    assert (name, value) == (b"conurb-completeness", b"2/2; count=sum")
