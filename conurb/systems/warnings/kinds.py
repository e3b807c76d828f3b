"""What kind of happening an alert speaks of: one word per kind, so that cities' words meet.

CAP leaves the event to free text. A kind is found by the event code that we write ourselves, else
by the words of any language of the message; what isn't known keeps its own words. Kinds are those
of the Smart Data Models' subcategories where they have one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from conurb.systems.warnings.cap.alert import Alert, Info, Severity

SCHEME: Final = "https://w3id.org/conurb/event"
"""The name of our event codes."""

WORDS_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: category and subcategory of the Smart Data Models, names, and words that say it.

    `slack_s`: how far apart two statements' times may be and still speak of one happening.
    """

    key: str
    category: str
    zh: str
    en: str
    words: tuple[str, ...]
    slack_s: int = 3 * 3600


KINDS: Final = (
    Kind(
        "waterPollution",
        "environment",
        "水污染",
        "Water pollution",
        ("水污染", "水质", "蓝藻", "water pollution", "water quality", "algal", "algae"),
        slack_s=48 * 3600,
    ),
    Kind(
        "airPollution",
        "environment",
        "空气重污染",
        "Air pollution",
        ("空气", "雾霾", "霾", "大气污染", "air quality", "air pollution", "haze", "smog", "pm2.5"),
        slack_s=6 * 3600,
    ),
    Kind("hurricane", "weather", "台风", "Typhoon", ("台风", "typhoon", "hurricane", "tropical")),
    Kind("rainfall", "weather", "暴雨", "Heavy rain", ("暴雨", "heavy rain", "rainfall")),
    Kind("floodRisk", "naturalDisaster", "洪水", "Flood", ("洪水", "山洪", "内涝", "flood")),
    Kind("heatWave", "weather", "高温", "Heat wave", ("高温", "heat wave", "heatwave")),
    Kind("coldWave", "weather", "寒潮", "Cold wave", ("寒潮", "低温", "cold wave", "frost")),
    Kind("snowIce", "weather", "雨雪冰冻", "Snow and ice", ("雪", "结冰", "snow", "icing")),
    Kind("fog", "weather", "大雾", "Fog", ("大雾", "浓雾", "fog")),
    Kind("wind", "weather", "大风", "Strong wind", ("大风", "strong wind", "gale", "wind")),
    Kind("thunderstorms", "weather", "雷暴", "Thunderstorm", ("雷", "强对流", "thunder", "hail")),
    Kind("forestFire", "security", "森林火灾", "Forest fire", ("森林火", "forest fire")),
    Kind("buildingFire", "security", "火灾", "Fire", ("火灾", "fire")),
    Kind("earthquake", "naturalDisaster", "地震", "Earthquake", ("地震", "earthquake")),
    Kind("tsunami", "naturalDisaster", "海啸", "Tsunami", ("海啸", "tsunami")),
    Kind("bridgeDamage", "security", "桥梁异常", "Bridge anomaly", ("桥梁", "bridge")),
    Kind("sensorAnomaly", "security", "监测异常", "Anomaly", ("监测异常", "anomaly")),
    Kind("subsidence", "naturalDisaster", "地面沉降", "Subsidence", ("沉降", "subsidence")),
    Kind("roadClosed", "traffic", "道路封闭", "Road closed", ("封路", "封闭", "road closed")),
)
"""Kinds, the more particular ones first: the first whose words are found is taken."""

_BY_KEY: Final = {kind.key: kind for kind in KINDS}
_SLUG: Final = re.compile(r"[^\w]+")

_SDM_SEVERITY: Final = {
    "Extreme": "critical",
    "Severe": "high",
    "Moderate": "medium",
    "Minor": "low",
    "Unknown": "informational",
}
SEVERITIES: Final = ("informational", "low", "medium", "high", "critical")
"""Severity by the Smart Data Models, rising."""

_CATEGORY: Final = {
    "Met": "weather",
    "Env": "environment",
    "Health": "health",
    "Security": "security",
    "Transport": "traffic",
    "Geo": "naturalDisaster",
}


def find_kind(key: str) -> Kind | None:
    """Find a kind by its key."""
    return _BY_KEY.get(key)


def slack_of(key: str) -> int:
    """Give the slack of a kind in seconds; that of most for a kind that isn't known."""
    kind = _BY_KEY.get(key)
    return kind.slack_s if kind is not None else 3 * 3600


def kind_of_words(words: Iterable[str]) -> str:
    """Give the key of the kind that words name; the first of them as a word, if none is known.

    >>> kind_of_words(["暴雨蓝色预警"]), kind_of_words(["Volcanic Ash"])
    ('rainfall', 'volcanic-ash')
    """
    texts = [text.lower() for text in words if text.strip()]
    for kind in KINDS:
        if any(word in text for text in texts for word in kind.words):
            return kind.key
    return _SLUG.sub("-", texts[0]).strip("-")[:WORDS_MAX] if texts else "unknown"


def kind_of(alert: Alert) -> str:
    """Give the key of the kind of happening that a message speaks of."""
    for info in alert.infos:
        for code in info.event_codes:
            if code.name == SCHEME and code.value:
                return code.value
    return kind_of_words(info.event for info in alert.infos)


def category_of(key: str, infos: Iterable[Info]) -> str:
    """Give the Smart Data Models' category of a kind, or that of the message's own category."""
    kind = _BY_KEY.get(key)
    if kind is not None:
        return kind.category
    found = (_CATEGORY.get(str(one)) for info in infos for one in info.categories)
    return next((one for one in found if one is not None), "security")


def severity_of(severity: Severity | str) -> str:
    """Give the Smart Data Models' word for a severity of CAP."""
    return _SDM_SEVERITY[str(severity)]


def worst(severities: Iterable[str]) -> str:
    """Give the worst of severities (Smart Data Models)."""
    return max(severities, key=SEVERITIES.index, default="informational")
