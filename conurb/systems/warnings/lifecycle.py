"""The life of an alert: what a message does to those that it refers to.

| message | those that it refers to become | itself |
|---|---|---|
| Alert | | active |
| Update | superseded | active; cleared when it says that the danger is over (AllClear) |
| Cancel | cancelled | notice |
| Ack, Error | stay as they are | notice |

An alert whose time is over expires. A chain of references that doesn't hold is refused with what is
wrong about it: a message that isn't known, that another sender sent, that was cancelled, or that
was superseded by one that isn't referred to (two updates of one message would both be in force).
Pure: states in, states out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from conurb.errors import ConflictError, NotFoundError
from conurb.systems.warnings.cap.alert import Alert, MsgType
from conurb.systems.warnings.states import AlertState

_ENDED: Final = frozenset({"cancelled", "cleared"})


@dataclass(frozen=True, slots=True)
class Known:
    """A message that is kept here: who sent it, its state, and what superseded it (ids)."""

    id: str
    sender: str
    state: AlertState
    superseded_by: str | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a message does: its own state, those that it changes, those that it acknowledges."""

    state: AlertState
    changes: Mapping[str, AlertState]
    acknowledges: tuple[str, ...] = ()


def effect_of(
    message: Alert, referenced: Mapping[str, Known | None], *, accept_missing: bool = False
) -> Effect:
    """Say what a message does to the messages that it refers to.

    `referenced` maps the id of each object that would keep a referenced message to it; None when it
    isn't kept here. `accept_missing` takes an update of what isn't known as news of its own.
    Raises NotFoundError or ConflictError for a chain that doesn't hold.
    """
    if message.msg_type is MsgType.ALERT:
        return Effect("cleared" if message.all_clear else "active", {})
    found = [known for known in referenced.values() if known is not None]
    missing = sorted(one for one, known in referenced.items() if known is None)
    if missing and not found and not (accept_missing and message.msg_type is MsgType.UPDATE):
        shown = " ".join(map(str, message.references))
        raise NotFoundError(
            f"{message.msg_type} {message.identifier}: none of the messages that it refers to is "
            f"known here: {shown[:400]}"
        )
    if message.msg_type in (MsgType.ACK, MsgType.ERROR):
        ids = tuple(known.id for known in found) if message.msg_type is MsgType.ACK else ()
        return Effect("notice", {}, ids)
    _check_chain(message, found)
    if message.msg_type is MsgType.CANCEL:
        open_ones = [known.id for known in found if known.state in ("active", "expired")]
        return Effect("notice", dict.fromkeys(open_ones, "cancelled"))
    state: AlertState = "cleared" if message.all_clear else "active"
    past: AlertState = "cleared" if message.all_clear else "superseded"
    return Effect(state, {known.id: past for known in found if known.state == "active"})


def _check_chain(message: Alert, found: list[Known]) -> None:
    ids = {known.id for known in found}
    for known in found:
        if known.sender != message.sender:
            raise ConflictError(
                f"{message.msg_type} {message.identifier}: {known.id} was sent by "
                f"{known.sender}, not by {message.sender}; only its sender may change it"
            )
        if known.state in _ENDED:
            raise ConflictError(
                f"{message.msg_type} {message.identifier}: {known.id} is {known.state} already"
            )
        if known.superseded_by is not None and known.superseded_by not in ids:
            raise ConflictError(
                f"{message.msg_type} {message.identifier}: {known.id} was superseded by "
                f"{known.superseded_by}; refer to that one"
            )
