"""Definitions as files: TOML that ships, or the user's, which may extend one that ships.

    id, version, year, kind, source, url, public, not_public, labels, and [name] zh, en
    [[dimensions]]      id, name, weight, items, note; below it [[dimensions.criteria]] and
                        [[dimensions.indicators]], a criterion in turn with [[...indicators]]
    extends = "other"   takes everything from another definition, and adds:
    [[indicators]]      an indicator with `under`, the branch that it stands below
    [weights]           id = weight, relative among siblings

An indicator has id, name, direction, figure, per, factor, weight, target, bounds, measure, note
(`conurb.strategy.index.tree.Indicator`). The items of a checklist are indicators without figures.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, Final

from conurb.errors import InputError, NotFoundError
from conurb.strategy.index.tree import Branch, Definition, Indicator

SUFFIX: Final = ".toml"
_FOLDER: Final = "definitions"
_TOP: Final = frozenset(
    {
        "id", "version", "year", "kind", "source", "url", "public", "not_public", "labels", "name",
        "dimensions", "extends", "indicators", "weights",
    }
)  # fmt: skip
_BRANCH: Final = frozenset({"id", "name", "weight", "items", "note", "criteria", "indicators"})
_LEAF: Final = frozenset(
    {
        "id", "name", "direction", "figure", "per", "factor", "weight", "target", "bounds",
        "measure", "note",
    }
)  # fmt: skip


def list_definitions() -> tuple[str, ...]:
    """Give the names of the definitions that ship."""
    root = resources.files("conurb.strategy.index") / _FOLDER
    return tuple(
        sorted(
            item.name.removesuffix(SUFFIX) for item in root.iterdir() if item.name.endswith(SUFFIX)
        )
    )


def read_definition(name: str | Path) -> Definition:
    """Read a definition: one that ships by its name, any other by its path.

    Raises NotFoundError when neither is there, InputError that names what is wrong in the file.
    """
    if isinstance(name, str) and name in list_definitions():
        root = resources.files("conurb.strategy.index") / _FOLDER
        text, said = (root / (name + SUFFIX)).read_text("utf-8"), name + SUFFIX
    elif Path(name).is_file():
        text, said = Path(name).read_text("utf-8"), str(name)
    else:
        raise NotFoundError(
            f"definition {str(name)!r}: neither a file nor one of those that ship: "
            f"{', '.join(list_definitions())}"
        )
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{said} is not TOML: {error}") from error
    try:
        return _definition(document, said)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{said}: {what}") from error


def _definition(document: Mapping[str, Any], said: str) -> Definition:
    _check_keys(document, _TOP, said)
    if "extends" in document:
        return _extended(document, said)
    kind = document.get("kind", "index")
    if kind not in ("index", "checklist"):
        raise InputError(f"{said}: kind {kind!r}; allowed are 'index' and 'checklist'")
    dimensions = tuple(_branch(item, said) for item in document["dimensions"])
    return Definition(
        id=document["id"],
        version=str(document["version"]),
        name=_names(document["name"], said),
        kind=kind,
        source=document["source"],
        year=int(document["year"]),
        public=document["public"],
        not_public=document["not_public"],
        root=Branch(document["id"], _names(document["name"], said), dimensions),
        labels=tuple(document.get("labels", ())),
        url=document.get("url"),
    )


def _extended(document: Mapping[str, Any], said: str) -> Definition:
    """Take a definition that ships, and put the user's items and weights into it."""
    if "dimensions" in document:
        raise InputError(f"{said} extends another definition: it adds [[indicators]] and [weights]")
    base = read_definition(document["extends"])
    added: dict[str, list[Indicator]] = {}
    for item in document.get("indicators", ()):
        leaf = {key: value for key, value in item.items() if key != "under"}
        added.setdefault(item["under"], []).append(_indicator(leaf, said))
    full = base.with_indicators(added).with_weights(document.get("weights", {}))
    labels = (
        *full.labels,
        *document.get("labels", ()),
        f"items or weights by the user, in {Path(said).name}",
    )
    return replace(
        full,
        id=document.get("id", base.id),
        version=str(document.get("version", base.version)),
        name=_names(document.get("name", base.name), said),
        root=replace(full.root, id=document.get("id", base.id)),
        labels=labels,
    )


def _branch(item: Mapping[str, Any], said: str) -> Branch:
    _check_keys(item, _BRANCH, f"{said}, {item.get('id')}")
    children: Sequence[Branch | Indicator] = (
        *(_branch(one, said) for one in item.get("criteria", ())),
        *(_indicator(one, said) for one in item.get("indicators", ())),
    )
    return Branch(
        id=item["id"],
        name=_names(item["name"], f"{said}, {item['id']}"),
        children=tuple(children),
        weight=item.get("weight"),
        items=item.get("items"),
        note=item.get("note"),
    )


def _indicator(item: Mapping[str, Any], said: str) -> Indicator:
    where = f"{said}, {item.get('id')}"
    _check_keys(item, _LEAF, where)
    bounds = item.get("bounds")
    if bounds is not None and len(bounds) != 2:
        raise InputError(f"{where}: bounds are two numbers, low and high, not {bounds}")
    return Indicator(
        id=item["id"],
        name=_names(item["name"], where),
        direction=item.get("direction", "benefit"),
        figure=item.get("figure"),
        per=item.get("per"),
        factor=float(item.get("factor", 1.0)),
        weight=item.get("weight"),
        target=item.get("target"),
        bounds=None if bounds is None else (float(bounds[0]), float(bounds[1])),
        measure=item.get("measure"),
        note=item.get("note"),
    )


def _names(given: Mapping[str, str], where: str) -> dict[str, str]:
    lacking = {"zh", "en"} - set(given)
    if lacking:
        raise InputError(f"{where}: the name lacks {', '.join(sorted(lacking))}")
    return dict(given)


def _check_keys(given: Mapping[str, Any], allowed: frozenset[str], where: str) -> None:
    unknown = sorted(set(given) - allowed)
    if unknown:
        raise InputError(f"{where}: unknown key {unknown[0]!r}; allowed are {sorted(allowed)}")
