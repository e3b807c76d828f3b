"""The methods by name, and how many samples each looks back on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from conurb.errors import BadRequestDataError
from conurb.systems.monitoring.detect.basic import seasonal, surprise, threshold
from conurb.systems.monitoring.detect.judgement import Judgement
from conurb.systems.monitoring.detect.motion import motion
from conurb.systems.monitoring.detect.shape import change, discord
from conurb.systems.monitoring.detect.structure import modal
from conurb.systems.monitoring.samples import Samples


@dataclass(frozen=True, slots=True)
class Method:
    """A way to judge samples; `samples` is how many recent ones it looks at unless asked else.

    `many` says that it judges several measurements together. `learns` that it needs a part to learn
    from: without a training time, that is the older half of what it looks at.
    """

    judge: Callable[[Samples, Mapping[str, Any], int], Judgement]
    samples: int
    many: bool = False
    learns: bool = False


METHODS: Final[dict[str, Method]] = {
    "threshold": Method(threshold, 20),
    "seasonal": Method(seasonal, 2_000, learns=True),
    "surprise": Method(surprise, 6_400),
    "change": Method(change, 500),
    "discord": Method(discord, 2_000, learns=True),
    "modal": Method(modal, 500, many=True, learns=True),
    "motion": Method(motion, 4_000),
}


def get_method(name: str) -> Method:
    """Give a method; raise BadRequestDataError when there is none of its name."""
    method = METHODS.get(name)
    if method is None:
        raise BadRequestDataError(
            f"detectionMethod: there is no {name!r:.50}; methods: {', '.join(METHODS)}"
        )
    return method


def judge(
    name: str, samples: Samples, options: Mapping[str, Any], *, trained: int = 0
) -> Judgement:
    """Judge samples by a method; the first `trained` of them are known to be as they should be.

    Raises BadRequestDataError for an unknown method or option, or too few samples.
    """
    method = get_method(name)
    if not method.many and samples.values.shape[1] > 1:
        raise BadRequestDataError(f"{name}: it judges one measurement at a time")
    if method.learns and trained == 0:
        trained = len(samples) // 2
    return method.judge(samples, options, trained)
