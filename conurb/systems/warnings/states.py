"""Where an alert is in its life, and what is done to it at the duty desk: one word each."""

from __future__ import annotations

from typing import Final, Literal, get_args

AlertState = Literal["active", "superseded", "cancelled", "cleared", "expired", "notice"]
"""`cleared`: the danger is over; `cancelled`: it was withdrawn; `notice`: a message that only
speaks of others (Cancel, Ack, Error)."""

STATES: Final[tuple[AlertState, ...]] = get_args(AlertState)

ActionKind = Literal["acknowledge", "release", "issue", "cancel", "clear"]
"""`release`: to cities; `clear`: the all-clear; `cancel`: it should not have been given."""

ACTIONS: Final[tuple[ActionKind, ...]] = get_args(ActionKind)
