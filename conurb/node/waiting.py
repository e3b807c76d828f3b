"""What waits to be told to one subscription: bounded, and taken in portions.

`Line` keeps records as they came, for a subscription that is told of each change. `Gathering` keeps
one record an entity, what all of its changes did together, for a subscription that is throttled.
Both know the first record that isn't done with, which is where a courier's cursor stands.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from conurb.node.notify import merged

if TYPE_CHECKING:
    from conurb.store.contract import Record


class Waiting(Protocol):
    """Records that wait."""

    def __len__(self) -> int:
        """Count what waits, taken portions included."""
        ...

    def push(self, record: Record) -> bool:
        """Add a record; False, having done nothing, when there is no room."""
        ...

    def take(self) -> list[Record]:
        """Give the next portion; the same again, and perhaps more, until `settle`."""
        ...

    def settle(self) -> None:
        """Be done with the portion that was taken."""
        ...

    def clear(self) -> None:
        """Forget everything."""
        ...

    @property
    def first(self) -> tuple[int, int] | None:
        """Give number and time of the first record that isn't done with; None for none."""
        ...


class Line:
    """Records in order; a portion is those in a row that are about different entities.

    So nothing is told twice in one notification, and no change is left out.
    """

    def __init__(self, *, room: int, portion: int) -> None:
        self._room = room
        self._portion = portion
        self._records: deque[Record] = deque()
        self._taken = 0

    def __len__(self) -> int:
        return len(self._records)

    def push(self, record: Record) -> bool:
        """Add a record; False, having done nothing, when there is no room."""
        if len(self._records) >= self._room:
            return False
        self._records.append(record)
        return True

    def take(self) -> list[Record]:
        """Give the next portion; the same again, and perhaps more, until `settle`."""
        portion: dict[str, Record] = {}
        for record in islice(self._records, self._portion):
            if record.entity_id in portion:
                break
            portion[record.entity_id] = record
        self._taken = len(portion)
        return list(portion.values())

    def settle(self) -> None:
        """Be done with the portion that was taken."""
        for _ in range(self._taken):
            self._records.popleft()
        self._taken = 0

    def clear(self) -> None:
        """Forget everything."""
        self._records.clear()
        self._taken = 0

    @property
    def first(self) -> tuple[int, int] | None:
        """Give number and time of the first record that isn't done with; None for none."""
        return (self._records[0].seq, self._records[0].at_us) if self._records else None


class Gathering:
    """What changes did together, an entity at a time; a portion is everything."""

    def __init__(self, *, room: int) -> None:
        self._room = room
        self._fresh: dict[str, Record] = {}
        self._taken: dict[str, Record] = {}
        self._fresh_first: tuple[int, int] | None = None
        self._taken_first: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self._fresh) + len(self._taken)

    def push(self, record: Record) -> bool:
        """Add a record; False, having done nothing, when there is no room."""
        if record.entity_id not in self._fresh and len(self) >= self._room:
            return False
        _add(self._fresh, record)
        self._fresh_first = self._fresh_first or (record.seq, record.at_us)
        return True

    def take(self) -> list[Record]:
        """Give the next portion; the same again, and perhaps more, until `settle`."""
        for record in self._fresh.values():
            _add(self._taken, record)
        self._taken_first = self._taken_first or self._fresh_first
        self._fresh, self._fresh_first = {}, None
        return list(self._taken.values())

    def settle(self) -> None:
        """Be done with the portion that was taken."""
        self._taken, self._taken_first = {}, None

    def clear(self) -> None:
        """Forget everything."""
        self.settle()
        self._fresh, self._fresh_first = {}, None

    @property
    def first(self) -> tuple[int, int] | None:
        """Give number and time of the first record that isn't done with; None for none."""
        return self._taken_first or self._fresh_first


def _add(records: dict[str, Record], record: Record) -> None:
    before = records.get(record.entity_id)
    records[record.entity_id] = merged(before, record) if before is not None else record
