"""What waits for a receiver: portions, room, and where the cursor stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conurb.model.entity import Entity
from conurb.node.waiting import Gathering, Line, Waiting
from conurb.store.contract import Record

LEVEL = "https://example.org/level"


def record(seq: int, name: str) -> Record:
    value = {"type": "Property", "value": seq}
    return Record(
        seq=seq,
        at_us=seq * 10,
        kind="updated",
        entity_id=name,
        types=("urn:T",),
        touched={LEVEL: {None: "updated"}},
        before={LEVEL: [{"type": "Property", "value": -seq}]},
        after=Entity(name, ("urn:T",), {LEVEL: [value]}),
    )


def seqs(records: list[Record]) -> list[int]:
    return [one.seq for one in records]


def filled(waiting: Waiting, names: str) -> Waiting:
    for seq, name in enumerate(names, start=1):
        assert waiting.push(record(seq, name))
    return waiting


def test_a_portion_of_a_line_ends_where_an_entity_comes_again() -> None:
    line = filled(Line(room=10, portion=10), "abcab")
    assert seqs(line.take()) == [1, 2, 3]
    line.settle()
    assert line.first == (4, 40)
    assert seqs(line.take()) == [4, 5]
    line.settle()
    assert (len(line), line.first) == (0, None)


def test_a_portion_is_given_again_until_it_is_settled() -> None:
    line = filled(Line(room=10, portion=2), "abc")
    assert seqs(line.take()) == seqs(line.take()) == [1, 2]
    gathering = filled(Gathering(room=10), "ab")
    assert seqs(gathering.take()) == [1, 2]
    gathering.push(record(3, "a"))
    assert seqs(gathering.take()) == [3, 2]
    assert gathering.first == (1, 10)


@pytest.mark.parametrize("waiting", [Line(room=2, portion=9), Gathering(room=2)])
def test_without_room_nothing_is_taken_in(waiting: Waiting) -> None:
    filled(waiting, "ab")
    assert not waiting.push(record(3, "c"))
    assert (len(waiting), waiting.first) == (2, (1, 10))
    waiting.clear()
    assert (len(waiting), waiting.first) == (0, None)


def test_a_gathering_has_room_for_more_of_the_same_entity() -> None:
    gathering = filled(Gathering(room=1), "aaaa")
    (together,) = gathering.take()
    assert together.seq == 4
    assert together.before == {LEVEL: [{"type": "Property", "value": -1}]}
    assert together.after is not None
    assert together.after.attrs[LEVEL][0]["value"] == 4
    assert gathering.first == (1, 10)


def test_what_comes_while_a_portion_is_under_way_stays() -> None:
    gathering = filled(Gathering(room=10), "ab")
    gathering.take()
    gathering.push(record(3, "a"))
    gathering.settle()
    assert gathering.first == (3, 30)
    assert seqs(gathering.take()) == [3]


@given(st.text("abc", max_size=30), st.integers(1, 5))
def test_a_line_gives_every_record_once_and_in_order(names: str, portion: int) -> None:
    line = filled(Line(room=100, portion=portion), names)
    given_out: list[int] = []
    while line:
        taken = line.take()
        assert line.first == (taken[0].seq, taken[0].at_us)
        assert len({one.entity_id for one in taken}) == len(taken) <= portion
        given_out += seqs(taken)
        line.settle()
    assert given_out == list(range(1, len(names) + 1))
