"""A restriction admits entities inside of it, by type and by scope."""

import pytest

from conurb.access.caller import LOCAL, Caller
from conurb.errors import ForbiddenError
from conurb.model.entity import Entity
from conurb.model.query.match import admits
from conurb.model.query.tree import Restriction

WUXI = Entity("urn:x:1", ("urn:T",), scope=("/yrd/wuxi/binhu",))


@pytest.mark.parametrize(
    ("restriction", "inside"),
    [
        (Restriction(), True),
        (Restriction(types=("urn:T", "urn:U")), True),
        (Restriction(types=("urn:U",)), False),
        (Restriction(types=()), False),
        (Restriction(scopes=("/yrd/wuxi",)), True),
        (Restriction(scopes=("/yrd/wuxi/binhu",)), True),
        (Restriction(scopes=("/yrd/wu",)), False),
        (Restriction(types=("urn:T",), scopes=("/other",)), False),
    ],
)
def test_an_entity_is_inside_of_a_restriction_or_not(
    restriction: Restriction, inside: bool
) -> None:
    assert admits(restriction, WUXI) is inside


def test_an_unscoped_entity_is_outside_of_every_scope() -> None:
    assert not admits(Restriction(scopes=("/",)), Entity("urn:x:2", ("urn:T",)))


def test_writing_outside_of_the_restriction_is_forbidden() -> None:
    caller = Caller("suzhou", frozenset({"write"}), Restriction(scopes=("/yrd/suzhou",)))
    with pytest.raises(ForbiddenError, match="urn:x:1"):
        caller.require_entity(WUXI)
    LOCAL.require_entity(WUXI)


def test_admin_includes_every_right() -> None:
    assert Caller("root", frozenset({"admin"})).may("federate")
