"""Scores: a definition computed on a panel by a method, kept with all that takes it apart."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from conurb.errors import InputError, NotFoundError
from conurb.strategy.index import weights as weighing
from conurb.strategy.index.aggregate import aggregate
from conurb.strategy.index.method import Across, Method
from conurb.strategy.index.normalise import normalise
from conurb.strategy.index.tree import Branch, Definition, Indicator
from conurb.strategy.linear import Flags
from conurb.strategy.panel import Figures, Panel, name_cells
from conurb.strategy.warning import StrategyWarning

SUM_TOLERANCE = 1e-9
"""How far a sum of shares may be from 1 by rounding."""
FLAGGED_NAMED_MAX = 5
"""How many breaks a warning names before it only counts the others."""


@dataclass(frozen=True, slots=True)
class Scores:
    """An index of N units over T years from K indicators.

    `score` [N x T] is on the scale of the normalisation (0..1 for all but z), NaN where there is
    none. `figures` [N x T x K] are the indicators in their own units, `normalised` on the common
    scale. `weights` [T x K] sum to 1 (all years alike unless weights come from each year);
    `effective` [N x T x K] are those that counted, after those of missing figures were shared out;
    `coverage` [N x T] is the share of the weight that was present. `best` and `worst` [T x K] are
    the ends that TOPSIS measures from.
    """

    definition: Definition
    method: Method
    panel: Panel
    score: Figures
    figures: Figures
    normalised: Figures
    weights: Figures
    effective: Figures
    coverage: Figures
    best: Figures
    worst: Figures
    digest: str

    @property
    def indicators(self) -> tuple[Indicator, ...]:
        """Give the indicators in the order of the arrays' last axis."""
        return self.definition.leaves

    @property
    def labels(self) -> tuple[str, ...]:
        """Give what is to be said beside the scores: of the definition, and of weights chosen."""
        chosen = self.method.weighting
        siblings: tuple[Branch | Indicator, ...] = (*self.definition.branches, *self.indicators)
        if chosen == "given":
            return self.definition.labels
        if chosen == "equal" and any(one.weight is None for one in siblings):
            said = "equal weights among siblings by the user's choice; the original's aren't known"
        else:
            said = f"weights by {chosen}, not those of the definition"
        return (*self.definition.labels, said)

    def ranks(self) -> Figures:
        """Give the rank of each unit in each year [N x T], 1 the best; equal ones share the better.

        NaN where there is no score.
        """
        return ranks(self.score)

    def columns_below(self, node_id: str) -> list[int]:
        """Give the places of the indicators below a branch (or of one indicator)."""
        node = self.definition.get(node_id)
        names = {one.id for one in ([node] if isinstance(node, Indicator) else node.iter_leaves())}
        return [k for k, leaf in enumerate(self.indicators) if leaf.id in names]

    def branch_score(self, node_id: str) -> Figures:
        """Give the score [N x T] of one dimension or criterion by itself, its weights summing to 1.

        NaN where nothing below it has weight.
        """
        chosen = self.columns_below(node_id)
        held = self.effective[..., chosen]
        total = held.sum(axis=-1, keepdims=True)
        part = np.divide(held, total, out=np.zeros_like(held), where=total > 0)
        values = aggregate(
            self.method.aggregation,
            np.nan_to_num(self.normalised[..., chosen]),
            part,
            best=self.best[:, chosen],
            worst=self.worst[:, chosen],
        )
        return np.where(np.isnan(self.score) | (total[..., 0] <= 0), np.nan, values)

    def weight_of(self, node_id: str) -> Figures:
        """Give the weight [T] of a branch or indicator in the whole."""
        return np.asarray(self.weights[:, self.columns_below(node_id)].sum(axis=1))


def score(panel: Panel, definition: Definition, method: Method | None = None) -> Scores:
    """Compute an index on a panel.

    Raises InputError for a checklist, for branches whose items or weights aren't public and weren't
    given (saying how to give them), for figures missing under `missing="refuse"`, and for
    indicators that can't be normalised; NotFoundError for columns that the panel hasn't. Warns of
    figures that are flagged as breaks, and of zeros under a geometric mean.
    """
    chosen = method or Method()
    check_computable(definition, panel)
    leaves = definition.leaves
    figures = np.stack([indicator_figures(panel, leaf) for leaf in leaves], axis=2)
    present = ~np.isnan(figures)
    _check_missing(panel, leaves, present, chosen)
    _warn_of_flags(panel, leaves, present)
    normalised = np.stack(
        [
            normalise(
                figures[..., k],
                leaf,
                method=chosen.normalisation,
                across=chosen.across,
                years=panel.years,
            )
            for k, leaf in enumerate(leaves)
        ],
        axis=2,
    )
    nominal = _weights(definition, figures, chosen, panel.years)
    held = np.where(present, nominal[None], 0.0)
    coverage = held.sum(axis=2)
    effective = np.divide(
        held, coverage[..., None], out=np.zeros_like(held), where=coverage[..., None] > 0
    )
    best, worst = _ends(normalised, chosen.across)
    filled = np.nan_to_num(normalised)
    values = aggregate(chosen.aggregation, filled, effective, best=best, worst=worst)
    least = chosen.coverage_min if chosen.missing == "reweigh" else 1.0
    known = coverage >= least - SUM_TOLERANCE
    values = np.where(known, values, np.nan)
    if chosen.aggregation == "geometric" and (values == 0).any():
        where = name_cells(panel.units, panel.years, values == 0)
        warnings.warn(
            f"An indicator at its lowest makes the geometric mean zero for {where}",
            StrategyWarning,
            stacklevel=2,
        )
    return Scores(
        definition=definition,
        method=chosen,
        panel=panel,
        score=values,
        figures=figures,
        normalised=normalised,
        weights=nominal,
        effective=np.where(known[..., None], effective, 0.0),
        coverage=coverage,
        best=best,
        worst=worst,
        digest=_digest(definition, chosen, panel, figures),
    )


def ranks(values: Figures) -> Figures:
    """Give ranks [N x T] by column, 1 the greatest, equal ones the better; NaN stays NaN."""
    better = (values[None, :, :] > values[:, None, :]).sum(axis=1)
    return np.where(np.isnan(values), np.nan, better + 1.0)


def indicator_figures(panel: Panel, leaf: Indicator) -> Figures:
    """Give an indicator's figures [N x T] in its own unit: column / per x factor.

    Raises InputError that names a cell where the divisor isn't above zero.
    """
    figures = panel.get(leaf.column)
    if leaf.per is not None:
        divisor = panel.get(leaf.per)
        wrong = divisor <= 0
        if wrong.any():
            where = name_cells(panel.units, panel.years, wrong)
            raise InputError(f"Indicator {leaf.id!r}: {leaf.per!r} is not above zero for {where}")
        figures = figures / divisor
    return np.asarray(figures * leaf.factor)


def check_computable(definition: Definition, panel: Panel) -> None:
    """Refuse a definition that can't be computed from the panel, saying what it lacks."""
    if definition.kind != "index":
        raise InputError(
            f"{definition.id} is a checklist: assess it with evidence, it has no figures"
        )
    for branch in definition.root.iter_branches():
        if not branch.children:
            count = f"its {branch.items} items" if branch.items else "its items"
            raise InputError(
                f"{definition.id}: {branch.id!r} has no indicators: {count} are not public here. "
                "Give yours: definition.with_indicators(...), or a file that extends this one"
            )
    lacking = sorted(
        {name for leaf in definition.leaves for name in (leaf.column, leaf.per) if name is not None}
        - set(panel.columns)
    )
    if lacking:
        raise NotFoundError(
            f"{definition.id} reads {lacking}, which the panel hasn't; it has "
            f"{sorted(panel.columns)}"
        )


def _weights(
    definition: Definition, figures: Figures, method: Method, years: Sequence[int]
) -> Figures:
    """Give the weights of the leaves [T x K]."""
    if method.weighting in ("entropy", "critic"):
        return _weights_of_data(definition, figures, method, years)
    leaves: dict[str, float] = {}

    def share_out(branch: Branch, held: float) -> None:
        for child, part in zip(
            branch.children, _among_siblings(definition, branch, method), strict=True
        ):
            if isinstance(child, Indicator):
                leaves[child.id] = held * float(part)
            else:
                share_out(child, held * float(part))

    share_out(definition.root, 1.0)
    row = np.array([leaves[leaf.id] for leaf in definition.leaves])
    return np.tile(row, (len(years), 1))


def _among_siblings(definition: Definition, branch: Branch, method: Method) -> Figures:
    children = branch.children
    if method.weighting == "equal" or len(children) == 1:
        return weighing.equal(len(children))
    if method.weighting == "ahp":
        judged = method.judgements.get(branch.id)
        if judged is None:
            raise InputError(
                f"{definition.id}: no judgements among the children of {branch.id!r}: "
                f"{[one.id for one in children]}"
            )
        found = weighing.ahp(judged, name=branch.id)
        if len(found.weights) != len(children):
            raise InputError(
                f"{definition.id}: the judgements of {branch.id!r} are of {len(found.weights)}, it "
                f"has {len(children)} children: {[one.id for one in children]}"
            )
        return found.weights
    unknown = [one.id for one in children if one.weight is None]
    if unknown:
        raise InputError(
            f"{definition.id}: no weights for {unknown}. {definition.not_public} Give yours: "
            'definition.with_weights(...), or choose weighting="equal" and say so'
        )
    return weighing.shares([float(one.weight or 0.0) for one in children])


def _weights_of_data(
    definition: Definition, figures: Figures, method: Method, years: Sequence[int]
) -> Figures:
    """Give entropy or CRITIC weights of all indicators, from all years or from each."""
    scaled = np.stack(
        [
            normalise(figures[..., k], leaf, method="min-max", across=method.across, years=years)
            for k, leaf in enumerate(definition.leaves)
        ],
        axis=2,
    )
    weigh = weighing.entropy if method.weighting == "entropy" else weighing.critic

    def of(rows: Figures) -> Figures:
        return weigh(rows[~np.isnan(rows).any(axis=1)])

    if method.across == "panel":
        return np.tile(of(scaled.reshape(-1, scaled.shape[2])), (scaled.shape[1], 1))
    return np.stack([of(scaled[:, t]) for t in range(scaled.shape[1])])


def _ends(normalised: Figures, across: Across) -> tuple[Figures, Figures]:
    """Give the greatest and least normalised figures [T x K], of all years or of each."""
    axes = (0, 1) if across == "panel" else (0,)
    shape = normalised.shape[1:]
    best = np.max(np.nan_to_num(normalised, nan=-np.inf), axis=axes)
    worst = np.min(np.nan_to_num(normalised, nan=np.inf), axis=axes)
    return tuple(
        np.broadcast_to(np.where(np.isfinite(ends), ends, 0.0), shape) for ends in (best, worst)
    )  # type: ignore[return-value]


def _check_missing(
    panel: Panel, leaves: Iterable[Indicator], present: Flags, method: Method
) -> None:
    if method.missing != "refuse" or present.all():
        return
    said = "; ".join(
        f"{leaf.id}: {name_cells(panel.units, panel.years, ~present[..., k])}"
        for k, leaf in enumerate(leaves)
        if not present[..., k].all()
    )
    raise InputError(
        f"Figures are missing: {said}. Select units and years that have them, or choose "
        'missing="leave" or "reweigh"'
    )


def _warn_of_flags(panel: Panel, leaves: Iterable[Indicator], present: Flags) -> None:
    said: dict[str, dict[str, None]] = {}
    for k, leaf in enumerate(leaves):
        for name in dict.fromkeys((leaf.column, leaf.per)):
            for (unit, year), breaks in (panel.flagged(name) if name else {}).items():
                if present[(*panel.place(unit, year), k)]:
                    for one in breaks:
                        said.setdefault(one, {})[f"{name} of {unit} {year}"] = None
    if said:
        parts = [
            f"{one} ({next(iter(cells))}"
            + (f" and {len(cells) - 1} more figures)" if len(cells) > 1 else ")")
            for one, cells in list(said.items())[:FLAGGED_NAMED_MAX]
        ]
        more = f"; and {len(said) - len(parts)} more" if len(said) > len(parts) else ""
        warnings.warn(
            f"Figures flagged as breaks are used: {'; '.join(parts)}{more}",
            StrategyWarning,
            stacklevel=3,
        )


def _digest(definition: Definition, method: Method, panel: Panel, figures: Figures) -> str:
    """Give a hash of everything that the scores follow from."""
    plain = replace(method, judgements=dict(method.judgements))
    digest = hashlib.sha256(repr((definition, plain, panel.units, panel.years)).encode())
    digest.update(np.ascontiguousarray(figures).tobytes())
    return digest.hexdigest()
