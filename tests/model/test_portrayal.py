"""A layer says what it shows in both languages, or it isn't one."""

from __future__ import annotations

from typing import Any

import pytest

from conurb.errors import BadRequestDataError
from conurb.model.portrayal import Class, Layer

BOTH = {"en": "Air", "zh": "空气"}


def layer(**changes: Any) -> Layer:
    given: dict[str, Any] = {
        "id": "air-quality",
        "type": "AirQualityObserved",
        "title": BOTH,
        "group": BOTH,
        "form": "circle",
        "source": "CNEMC",
        "licence": "cite",
    }
    return Layer(**(given | changes))


def test_a_layer_with_rising_classes_is_taken() -> None:
    classes = (Class(0, "#0a0", BOTH), Class(50.5, "#aa0", BOTH))
    assert layer(attribute="airQualityIndex", classes=classes).classes == classes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": "Air quality"}, "'Air quality'"),
        ({"aliases": ("air_q",)}, "'air_q'"),
        ({"title": {"en": "Air"}}, "nothing in zh"),
        ({"classes": (Class(0, "#0a0", BOTH),)}, "need an attribute"),
        (
            {"attribute": "aqi", "classes": (Class(50, "#0a0", BOTH), Class(0, "#a00", BOTH))},
            "rising numbers",
        ),
        ({"attribute": "aqi", "classes": (Class("low", "#0a0", BOTH),)}, "rising numbers"),
    ],
)
def test_what_is_wrong_with_a_layer_is_said(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequestDataError, match=said):
        layer(**changes)


def test_categories_may_be_words_in_any_order() -> None:
    classes = (Class("red", "#a00", BOTH), Class("amber", "#aa0", BOTH))
    assert layer(attribute="level", classes=classes, categorical=True).categorical
