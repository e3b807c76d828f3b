"""The one category of warnings that the strategy rooms give.

A warning stands where a number is given that someone should doubt: it says what, and where.
"""

from __future__ import annotations


class StrategyWarning(UserWarning):
    """A result is given, and there is a named reason to look at it twice."""
