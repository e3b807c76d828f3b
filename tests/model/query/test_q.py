"""q: what is read into which tree, what is refused and how, and that printing reads back."""

from __future__ import annotations

import contextlib
import json
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conurb.errors import BadRequestDataError, InputError, TooComplexQueryError
from conurb.model.context import core_terms
from conurb.model.query import q as q_module
from conurb.model.query.q import parse_path, parse_q
from conurb.model.query.tree import (
    Absent,
    And,
    AttributePath,
    Compare,
    Condition,
    Exists,
    Linked,
    Moment,
    OneOf,
    Or,
    Range,
    Uri,
    attributes_of,
    link_depth,
)

TERMS = core_terms()
DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"


def iri(name: str) -> str:
    return DEFAULT + name


def path(*names: str, members: tuple[str, ...] = ()) -> AttributePath:
    return AttributePath(tuple(map(iri, names)), members)


def test_the_examples_of_clause_4_9_are_read():
    speed, brand = path("speed"), path("brandName")
    assert parse_q("temperature", TERMS) == Exists(path("temperature"))
    assert parse_q("temperature==20", TERMS) == Compare(path("temperature"), "==", 20)
    assert parse_q('brandName!="Mercedes"', TERMS) == Compare(brand, "!=", "Mercedes")
    assert parse_q('speed>50;brandName!="Mercedes"', TERMS) == And(
        (Compare(speed, ">", 50), Compare(brand, "!=", "Mercedes"))
    )
    assert parse_q('((speed>50|rpm>3000);brandName=="Mercedes")', TERMS) == And(
        (
            Or((Compare(speed, ">", 50), Compare(path("rpm"), ">", 3000))),
            Compare(brand, "==", "Mercedes"),
        )
    )
    moment = Moment("2017-12-24T12:00:00Z", 1_514_116_800_000_000)
    assert parse_q("temperature.observedAt>=2017-12-24T12:00:00Z", TERMS) == Compare(
        AttributePath((iri("temperature"), "observedAt")), ">=", moment
    )
    assert parse_q('address[city]=="Berlin"', TERMS) == Compare(
        path("address", members=("city",)), "==", "Berlin"
    )
    assert parse_q("sensor.rawdata[airquality.particulate]==40", TERMS) == Compare(
        path("sensor", "rawdata", members=("airquality", "particulate")), "==", 40
    )
    assert parse_q("sensor{Device:humidity}==40", TERMS) == Compare(
        AttributePath((iri("sensor"), Linked((iri("Device"),)), iri("humidity"))), "==", 40
    )
    assert parse_q("sensor{humidity}==40", TERMS) == Compare(
        AttributePath((iri("sensor"), Linked(()), iri("humidity"))), "==", 40
    )


def test_and_binds_closer_than_or():
    a, b, c = (Exists(path(name)) for name in "abc")
    assert parse_q("a;b|c", TERMS) == Or((And((a, b)), c))
    assert parse_q("a;(b|c)", TERMS) == And((a, Or((b, c))))


@pytest.mark.parametrize(
    ("text", "operand"),
    [
        ("a==true", True),
        ("a==false", False),
        ("a==-1.5e3", -1500.0),
        ("a==10..40", Range(10, 40)),
        ("a==1.5..2.5", Range(1.5, 2.5)),
        ('a=="550","551"', OneOf(("550", "551"))),
        ("a==1,5..7,true", OneOf((1, Range(5, 7), True))),
        ("a==urn:ngsi-ld:City:1", Uri("urn:ngsi-ld:City:1")),
        ("a==http://example.org/x?y=1&z", Uri("http://example.org/x?y=1&z")),
        ("a==commercial", "commercial"),
        ("a==上海", "上海"),
        ("a==2026-01-31", Moment("2026-01-31", None)),
        ("a==08:00:00Z", Moment("08:00:00Z", None)),
        ('a=="2026-01-31T08:00:00Z"', "2026-01-31T08:00:00Z"),
        (r'a=="say \"hi\"; or | not) \\ \u4e0a"', 'say "hi"; or | not) \\ 上'),
        ("a=='x'", None),
        ("a==Eiffel Tower", None),
        ("a==01", None),
        ("a==.5", None),
        ("a==true-ish", "true-ish"),
        ("a==NaN", "NaN"),
    ],
)
def test_values_are_what_they_look_like(text: str, operand: object):
    if operand is None:
        with pytest.raises(BadRequestDataError, match=r"q, position \d+"):
            parse_q(text, TERMS)
    else:
        assert parse_q(text, TERMS) == Compare(path("a"), "==", operand)  # type: ignore[arg-type]
        assert type(parse_q(text, TERMS).operand) is type(operand)  # type: ignore[union-attr]


def test_a_text_against_a_time_member_is_the_moment_that_it_says():
    condition = parse_q('modifiedAt>"2020-01-01T00:00:00Z"|a.observedAt<2020-01-01', TERMS)
    assert condition == Or(
        (
            Compare(
                AttributePath(("modifiedAt",)),
                ">",
                Moment("2020-01-01T00:00:00Z", 1_577_836_800_000_000),
            ),
            Compare(
                AttributePath((iri("a"), "observedAt")),
                "<",
                Moment("2020-01-01", 1_577_836_800_000_000),
            ),
        )
    )


def test_expand_values_and_types_become_iris():
    assert parse_q("category==commercial", TERMS, expand_values=["category"]) == Compare(
        path("category"), "==", Uri(iri("commercial"))
    )
    assert parse_q('type=="Building"', TERMS) == Compare(
        AttributePath(("type",)), "==", Uri(iri("Building"))
    )
    assert parse_q("a.type==Property", TERMS) == Compare(
        AttributePath((iri("a"), "type")), "==", "Property"
    )


def test_patterns_are_read_with_and_without_quotes():
    assert parse_q(r'name~="^m\d"', TERMS) == Compare(path("name"), "~=", r"\Am[0-9]")
    assert parse_q("(name~=^(a|b)$;x)", TERMS) == And(
        (Compare(path("name"), "~=", r"\A(?:a|b)\Z"), Exists(path("x")))
    )
    assert parse_q(r"name~=[;|-~]x|y", TERMS) == Or(
        (Compare(path("name"), "~=", "[;|-~]x"), Exists(path("y")))
    )


def test_absence_is_read():
    assert parse_q("!heading;speed>25", TERMS) == And(
        (Absent(path("heading")), Compare(path("speed"), ">", 25))
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "position 0 at the end: expected a name"),
        ("speed>", "position 6 at the end: expected a value"),
        ("speed=50", "position 5 at '=50': expected one of =="),
        ("(a==1", r"position 5 at the end: expected '\)'"),
        ("a==1)", r"position 4 at '\)': expected ';'"),
        ("a;;b", "position 2"),
        ("a|", "position 2"),
        ("2x==1", "position 0"),
        ("a.==1", "position 2"),
        ("a[==1", "position 2"),
        ("a[]==1", "position 2"),
        ("a[b..c]==1", "position 2"),
        ("a{b==1", "expected '}'"),
        ("a{}==1", "position 2"),
        ("a.b{c}.d==1", "position"),
        ('a=="open', "expected a JSON string"),
        ('a=="bad \\x escape"', "expected a JSON string"),
        ('a=="\\u0000"', "NUL"),
        ('a=="\\ud800"', "surrogate"),
        ("a>1,2", "goes with == and != only, not with >"),
        ("a<1..2", "goes with == and != only"),
        ('a==1.."x"', "a range goes from"),
        ("a==true..false", "a range goes from"),
        ("a==1e999", "over the range of a double"),
        ("a==2026-02-30T00:00:00Z", "not a date-time"),
        ('a~="("', "regular expression"),
        ("a~=", "expected a regular expression"),
        ("a==1; DROP TABLE entity", "position"),
        ("a==1' OR '1'='1", "position"),
        ("a==1--", "position"),
        ("id.x==1", "position 2"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_position(text: str, reason: str):
    with pytest.raises(BadRequestDataError, match=reason):
        parse_q(text, TERMS)


@pytest.mark.parametrize(
    "text",
    [
        "a" * (q_module.Q_LENGTH_MAX + 1),
        "(" * (q_module.NESTING_MAX + 1) + "a" + ")" * (q_module.NESTING_MAX + 1),
        ";".join(["a"] * (q_module.TERMS_MAX + 1)),
        ".".join(["a"] * (q_module.STEPS_MAX + 2)),
        f"a[{'.'.join(['b'] * (q_module.MEMBERS_MAX + 1))}]",
        "a{" * (q_module.LINKS_MAX + 1) + "b" + "}" * (q_module.LINKS_MAX + 1),
        "a==" + ",".join(["1"] * (q_module.LIST_MAX + 1)),
        'a~="(a{200}){200}"',
        "a{" + ",".join(["T"] * (q_module.LIST_MAX + 1)) + ":b}",
    ],
)
def test_bounds_are_kept(text: str):
    with pytest.raises(TooComplexQueryError):
        parse_q(text, TERMS)


def test_what_a_condition_speaks_of():
    condition = parse_q("a.b>1;(!c|modifiedAt>2020-01-01);d{e{f}}==1", TERMS)
    assert attributes_of(condition) == {iri("a"), iri("c"), iri("d")}
    assert link_depth(condition) == 2
    assert attributes_of(None) == frozenset()
    assert link_depth(parse_q("a", TERMS)) == 0


def test_a_path_alone_is_read_whole():
    assert parse_path("address[city]", TERMS, name="orderBy") == path("address", members=("city",))
    with pytest.raises(BadRequestDataError, match="orderBy, position 4"):
        parse_path("name desc", TERMS, name="orderBy")


# ── printing reads back ──

NAMES = st.from_regex(r"[a-zA-Zé上][a-zA-Z0-9_é上]{0,6}", fullmatch=True).filter(
    lambda name: name not in q_module.SYSTEM_NAMES and TERMS.expand(name) == iri(name)
)
TEXTS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=8)
MEMBERS = st.lists(st.text(string.ascii_letters + "-@*_", min_size=1, max_size=4), max_size=2)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
MOMENTS = (
    st.datetimes()
    .map(lambda moment: moment.strftime("%Y").zfill(4))
    .flatmap(lambda year: st.just(Moment(f"{year}-06-30", None)))
)
RANGES = st.tuples(NUMBERS, NUMBERS).map(lambda pair: Range(*pair)) | st.tuples(TEXTS, TEXTS).map(
    lambda pair: Range(*pair)
)
URIS = st.from_regex(r"urn:[a-z]{1,4}:[A-Za-z0-9/.?=&#%-]{0,8}[a-z]", fullmatch=True).map(Uri)
SCALARS = NUMBERS | TEXTS | st.booleans() | MOMENTS | URIS
LISTS = st.lists(SCALARS | RANGES, min_size=2, max_size=4).map(lambda items: OneOf(tuple(items)))


@st.composite
def paths(draw: st.DrawFn) -> AttributePath:
    steps: list[str | Linked] = [iri(draw(NAMES))]
    for _ in range(draw(st.integers(0, 2))):
        steps.append(iri(draw(NAMES)))
    for _ in range(draw(st.integers(0, 2))):
        types = draw(st.lists(NAMES, max_size=2))
        steps += [Linked(tuple(map(iri, types))), iri(draw(NAMES))]
    return AttributePath(tuple(steps), tuple(draw(MEMBERS)))


COMPARISONS = (
    st.builds(Compare, paths(), st.sampled_from(["==", "!="]), SCALARS | RANGES | LISTS)
    | st.builds(Compare, paths(), st.sampled_from([">", ">=", "<", "<="]), SCALARS)
    | st.builds(
        Compare,
        paths(),
        st.sampled_from(["~=", "!~="]),
        st.sampled_from([r"\Aa", "[0-9]+", "(?:a|b)c", 'say "x"', r"\\", ";[|-~]", r"\.\Z"]),
    )
)
CONDITIONS = st.recursive(
    COMPARISONS | st.builds(Exists, paths()) | st.builds(Absent, paths()),
    lambda inner: (
        st.lists(inner, min_size=2, max_size=3).map(lambda i: And(tuple(i)))
        | st.lists(inner, min_size=2, max_size=3).map(lambda i: Or(tuple(i)))
    ),
    max_leaves=6,
)


def unparse(condition: Condition) -> str:
    if isinstance(condition, And | Or):
        sign = ";" if isinstance(condition, And) else "|"
        return sign.join(
            f"({unparse(item)})" if isinstance(item, And | Or) else unparse(item)
            for item in condition.items
        )
    if isinstance(condition, Exists):
        return unparse_path(condition.path)
    if isinstance(condition, Absent):
        return "!" + unparse_path(condition.path)
    if condition.operator in ("~=", "!~="):
        operand = '"' + str(condition.operand).replace('"', '\\"') + '"'
    else:
        operand = unparse_operand(condition.operand)
    return unparse_path(condition.path) + condition.operator + operand


def unparse_path(path: AttributePath) -> str:
    text, braces = "", 0
    for index, step in enumerate(path.steps):
        if isinstance(step, Linked):
            braces += 1
            text += "{" + (",".join(map(TERMS.compact, step.types)) + ":" if step.types else "")
        else:
            dot = "." if index and isinstance(path.steps[index - 1], str) else ""
            text += dot + TERMS.compact(step)
    members = f"[{'.'.join(path.members)}]" if path.members else ""
    return text + members + "}" * braces


def unparse_operand(operand: object) -> str:
    if isinstance(operand, OneOf):
        return ",".join(map(unparse_operand, operand.items))
    if isinstance(operand, Range):
        return f"{unparse_operand(operand.low)}..{unparse_operand(operand.high)}"
    if isinstance(operand, Moment | Uri):
        return operand.text
    return json.dumps(operand)


@settings(max_examples=150, deadline=None)
@given(CONDITIONS)
def test_a_printed_tree_reads_back_as_itself(condition: Condition):
    assert parse_q(unparse(condition), TERMS) == condition


SIGNS = st.sampled_from(
    [*"abc01.;|()[]{}!~=<>,\":\\-*+?^$ '", "==", "~=", "..", "true", '"x"', "urn:a:b", "上", "\0"]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(SIGNS, max_size=20).map("".join) | st.text(max_size=30))
@example("a~=[")
@example("a~=\\")
@example('a=="\\')
@example("a{b:")
def test_whatever_comes_in_only_input_errors_come_out(text: str):
    with contextlib.suppress(InputError):
        parse_q(text, TERMS, expand_values=["a"])
