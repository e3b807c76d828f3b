"""Where an alert is in its life: one word each."""

from __future__ import annotations

from typing import Final, Literal, get_args

AlertState = Literal["active", "superseded", "cancelled", "cleared", "expired", "notice"]
"""`cleared`: the danger is over; `cancelled`: it was withdrawn; `notice`: a message that only
speaks of others (Cancel, Ack, Error)."""

STATES: Final[tuple[AlertState, ...]] = get_args(AlertState)
