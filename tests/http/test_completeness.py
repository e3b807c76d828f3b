"""Headers say who answered for a region, in a form that every client can read."""

from __future__ import annotations

from conurb.federation.completeness import (
    Absence,
    Completeness,
    FederatedAnswer,
    FederatedEvolutionPage,
)
from conurb.http.completeness import completeness_headers
from conurb.node.consume import Answer


def test_one_node_says_nothing() -> None:
    assert completeness_headers(Answer([])) == []


def test_who_answered_and_who_did_not_is_said() -> None:
    missing = (Absence("huzhou", "no answer in 5 s"), Absence("wuxi", 'store "wuxi"\n坏了'))
    said = Completeness(("region", "huzhou", "wuxi"), missing)
    for answer in (
        FederatedAnswer([], completeness=said),
        FederatedEvolutionPage([], completeness=said),
    ):
        assert completeness_headers(answer) == [
            (b"conurb-completeness", b"1/3"),
            (b"ngsild-warning", b'199 huzhou "no answer in 5 s"'),
            (b"ngsild-warning", b"199 wuxi \"store 'wuxi' ??\""),
        ]


def test_a_count_that_is_a_sum_is_said_to_be_one() -> None:
    said = Completeness(("region", "wuxi"), count_is_exact=False)
    [(name, value)] = completeness_headers(FederatedAnswer([], completeness=said))
    assert (name, value) == (b"conurb-completeness", b"2/2; count=sum")
