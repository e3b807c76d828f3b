"""The life of an alert: update, cancel, all-clear, acknowledgement; chains that don't hold."""

from __future__ import annotations

from datetime import timedelta

import pytest

from conurb.errors import BadRequestDataError, ConflictError, NotFoundError
from conurb.systems.warnings.cap.alert import MsgType
from conurb.systems.warnings.cap.read import read
from conurb.systems.warnings.cap.write import write
from conurb.systems.warnings.compose import follow
from conurb.systems.warnings.lifecycle import Known, effect_of
from conurb.systems.warnings.objects import AlertState

from .sources import NOW, an_alert

FIRST = an_alert("wuxi")
LATER = NOW + timedelta(hours=1)


def known(
    name: str = "1", state: AlertState = "active", sender: str = "w@x", by: str | None = None
) -> dict[str, Known | None]:
    return {name: Known(name, sender, state, by)}


def test_an_alert_is_in_force() -> None:
    assert effect_of(FIRST, {}).state == "active"


def test_an_update_supersedes() -> None:
    effect = effect_of(follow(FIRST, MsgType.UPDATE, sent=LATER), known())
    assert (effect.state, effect.changes) == ("active", {"1": "superseded"})


def test_the_all_clear_clears() -> None:
    message = follow(FIRST, MsgType.UPDATE, sent=LATER, all_clear=True)
    assert read(write(message)).all_clear
    effect = effect_of(message, known())
    assert (effect.state, effect.changes) == ("cleared", {"1": "cleared"})


def test_a_cancel_withdraws_also_what_has_expired() -> None:
    message = follow(FIRST, MsgType.CANCEL, sent=LATER)
    assert effect_of(message, known()).changes == {"1": "cancelled"}
    assert effect_of(message, known(state="expired")).changes == {"1": "cancelled"}
    assert effect_of(message, known()).state == "notice"


def test_an_acknowledgement_changes_no_state_and_may_come_from_anybody() -> None:
    message = follow(FIRST, MsgType.ACK, sent=LATER, sender="desk@y")
    effect = effect_of(message, known())
    assert (effect.state, effect.changes, effect.acknowledges) == ("notice", {}, ("1",))


def test_a_chain_names_all_that_went_before() -> None:
    second = follow(FIRST, MsgType.UPDATE, sent=LATER)
    third = follow(second, MsgType.CANCEL, sent=LATER + timedelta(hours=1))
    assert third.references == (FIRST.reference, second.reference)
    assert read(write(third)).references == third.references
    chain = known("1", "superseded", by="2") | known("2")
    assert effect_of(third, chain).changes == {"2": "cancelled"}


def test_what_refers_to_nothing_known_is_refused_unless_an_update_is_to_be_taken() -> None:
    update = follow(FIRST, MsgType.UPDATE, sent=LATER)
    with pytest.raises(NotFoundError, match="none of the messages that it refers to is known"):
        effect_of(update, {"1": None})
    assert effect_of(update, {"1": None}, accept_missing=True).state == "active"
    with pytest.raises(NotFoundError):
        effect_of(follow(FIRST, MsgType.CANCEL, sent=LATER), {"1": None}, accept_missing=True)


def test_only_its_sender_may_change_an_alert() -> None:
    with pytest.raises(ConflictError, match="was sent by other@x"):
        effect_of(follow(FIRST, MsgType.CANCEL, sent=LATER), known(sender="other@x"))


@pytest.mark.parametrize("state", ["cancelled", "cleared"])
def test_what_has_ended_cannot_be_changed(state: AlertState) -> None:
    with pytest.raises(ConflictError, match=f"is {state} already"):
        effect_of(follow(FIRST, MsgType.UPDATE, sent=LATER), known(state=state))


def test_an_update_beside_another_one_is_refused() -> None:
    with pytest.raises(ConflictError, match="was superseded by 2"):
        effect_of(follow(FIRST, MsgType.UPDATE, sent=LATER), known(state="superseded", by="2"))


def test_an_alert_follows_on_nothing() -> None:
    with pytest.raises(BadRequestDataError):
        follow(FIRST, MsgType.ALERT, sent=LATER)
