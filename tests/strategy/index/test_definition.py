"""Definitions that ship, the user's that extend them, and what isn't public of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conurb.errors import InputError, NotFoundError
from conurb.strategy.index.checklist import Evidence, assess, read_evidence
from conurb.strategy.index.definition import list_definitions, read_definition
from conurb.strategy.index.method import Method
from conurb.strategy.index.score import score
from conurb.strategy.index.tree import Branch, Indicator
from conurb.strategy.panel import Panel
from tests.strategy.index.trees import panel

SCSI = "smart-city-strategy-index-2017"
MINE = """
extends = "guangdong"
id = "guangdong-mine"
[name]
zh = "我的"
en = "mine"
[weights]
smart-infrastructure = 2
smart-economy = 1
smart-social-life = 1
smart-government = 1
"""
ITEM = """
[[indicators]]
under = "{under}"
id = "{id}"
name = {{ zh = "甲", en = "a" }}
weight = 1
"""
DIMENSIONS = ("smart-infrastructure", "smart-economy", "smart-social-life", "smart-government")


def test_every_definition_says_source_and_what_is_public_in_both_languages() -> None:
    assert set(list_definitions()) >= {
        SCSI, "ten-key-factors", "guangdong", "gbt-33356-2022", "green-development",
    }  # fmt: skip
    for name in list_definitions():
        found = read_definition(name)
        assert found.id == name
        assert all((found.source, found.version, found.public, found.not_public))
        nodes: tuple[Branch | Indicator, ...] = (found.root, *found.branches, *found.leaves)
        for node in nodes:
            assert {"zh", "en"} <= set(node.name), node.id


def test_the_published_shapes_are_those_of_the_sources() -> None:
    strategy = read_definition(SCSI)
    assert [len(one.children) for one in strategy.branches] == [6, 4, 2]
    assert len(read_definition("ten-key-factors").leaves) == 10
    assert len(read_definition("guangdong").branches) == 4
    assert len(read_definition("gbt-33356-2022").branches) == 9


def strategies() -> Panel:
    rng = np.random.default_rng(1)
    given = {leaf.id: rng.uniform(0, 100, (5, 1)) for leaf in read_definition(SCSI).leaves}
    return panel(**given)


def test_weights_that_are_not_public_are_asked_for_or_equal_and_said_so() -> None:
    with pytest.raises(InputError, match=r"no weights for \['action-fields', 'strategic-planning"):
        score(strategies(), read_definition(SCSI))
    found = score(strategies(), read_definition(SCSI), Method(weighting="equal"))
    assert "equal weights" in found.labels[-1]
    np.testing.assert_allclose(found.weight_of("it-infrastructure"), [1 / 3])
    # Criteria are scored against 0 to 100, not against the best of those given.
    one = strategies().get("mobility")[:, 0]
    k = [leaf.id for leaf in found.indicators].index("mobility")
    np.testing.assert_allclose(found.normalised[:, 0, k], one / 100)


def test_items_that_are_not_public_are_asked_for() -> None:
    with pytest.raises(InputError, match=r"'smart-infrastructure' has no indicators.*extends this"):
        score(panel(x=[[1], [2]]), read_definition("guangdong"), Method(weighting="equal"))


def test_a_file_of_the_user_brings_items_and_weights(tmp_path: Path) -> None:
    text = MINE + "".join(
        ITEM.format(under=under, id=f"i{k}") for k, under in enumerate(DIMENSIONS)
    )
    (tmp_path / "mine.toml").write_text(text)
    made = read_definition(tmp_path / "mine.toml")
    found = score(panel(**{f"i{k}": [[1], [2], [3]] for k in range(4)}), made)
    np.testing.assert_allclose(found.weights[0], [0.4, 0.2, 0.2, 0.2])
    assert found.labels == ("items or weights by the user, in mine.toml",)
    assert (made.id, made.source) == ("guangdong-mine", read_definition("guangdong").source)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id = ", "is not TOML"),
        ("colour = 1", "unknown key 'colour'"),
        ('id = "x"', "'dimensions' is missing"),
        (MINE + "[[indicators]]\nid = 'x'", "'under' is missing"),
        (MINE + ITEM.format(under="smart-economy", id="x") + 'direction = "up"', "direction 'up'"),
        (MINE + ITEM.format(under="smart-economy", id="x") + "bounds = [5, 1]", "don't ascend"),
        (
            MINE + ITEM.format(under="smart-economy", id="x").replace("weight = 1", "weight = -1"),
            "must be finite and not negative",
        ),
        (MINE + ITEM.format(under="smart-economy", id="smart-economy"), "stands twice"),
        (MINE + '[[dimensions]]\nid = "x"', "it adds"),
        (MINE + "[[indicators]]\nunder='smart-economy'\nid='x'\nname={en='x'}", "lacks zh"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "wrong.toml").write_text(text)
    with pytest.raises(InputError, match=said):
        read_definition(tmp_path / "wrong.toml")


def test_a_definition_that_does_not_exist_is_answered_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="green-development"):
        read_definition("golden-development")
    (tmp_path / "x.toml").write_text(MINE + ITEM.format(under="smart-sea", id="x"))
    with pytest.raises(NotFoundError, match="guangdong has no 'smart-sea'; it has"):
        read_definition(tmp_path / "x.toml")


def test_a_checklist_takes_evidence_and_no_figures(tmp_path: Path) -> None:
    factors = read_definition("ten-key-factors")
    (tmp_path / "evidence.toml").write_text(
        '[shanghai.data-security]\nstatus = "met"\ntext = "rules of 2022"\nsource = "gazette 3"\n'
        '[shanghai.participation]\nstatus = "partly"\ntext = "hotline"\nsource = "report"\n'
        '[shanghai.innovation-labs]\nstatus = "not met"\n'
    )
    found = assess(factors, "shanghai", read_evidence(tmp_path / "evidence.toml")["shanghai"])
    assert (found.assessed, found.share) == (3, 0.5)
    assert assess(factors, "wuxi", {}).share is None
    with pytest.raises(InputError, match="is a checklist"):
        score(panel(x=[[1], [2]]), factors)
    with pytest.raises(InputError, match="is an index"):
        assess(read_definition("green-development"), "wuxi", {})


def test_an_answer_without_evidence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs evidence"):
        Evidence("met", "because")
    with pytest.raises(InputError, match="status is 'done'"):
        Evidence("done")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no item 'weather'"):
        assess(read_definition("ten-key-factors"), "wuxi", {"weather": Evidence("not met")})
    (tmp_path / "e.toml").write_text("wuxi: met")
    with pytest.raises(InputError, match=r"e\.toml is not TOML"):
        read_evidence(tmp_path / "e.toml")
    (tmp_path / "e.toml").write_text('[wuxi.data-security]\nstatus = "met"\n')
    with pytest.raises(InputError, match=r"wuxi\.data-security: An item that is 'met'"):
        read_evidence(tmp_path / "e.toml")
