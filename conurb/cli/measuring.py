"""`conurb strategy index`, `green`, `effect`, `spillover`, `network`: each part by itself."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from conurb.cli.asking import NodeOptions
from conurb.cli.subjects import (
    PrintOptions,
    TableOptions,
    names,
    read_subject,
    read_treatment,
    span,
    steps,
)
from conurb.errors import InvalidRequestError

if TYPE_CHECKING:
    from conurb.strategy.effect.treatment import Treatment
    from conurb.strategy.panel import Panel

Weighting = Literal["given", "equal", "entropy", "critic"]
Normalisation = Literal["min-max", "z", "rank", "target"]
Aggregation = Literal["arithmetic", "geometric", "topsis"]
Missing = Literal["refuse", "leave", "reweigh"]
Years = Annotated[str | None, Parameter(help="Years that count, such as 2000-2019.")]


def add_to(app: App) -> None:
    """Add the commands to those of `conurb strategy`."""
    for command in (index, green, effect, spillover, network):
        app.command(command)


def index(
    region: str = "yrd",
    /,
    *,
    definition: Annotated[
        str, Parameter(help="One that ships by its name, or a TOML file of yours.")
    ] = "green-development",
    weighting: Annotated[Weighting, Parameter(help="Where weights come from.")] = "given",
    normalisation: Annotated[Normalisation, Parameter(help="The common scale.")] = "min-max",
    aggregation: Annotated[Aggregation, Parameter(help="How parts become one.")] = "arithmetic",
    missing: Annotated[Missing, Parameter(help="What a missing figure does.")] = "refuse",
    years: Years = None,
    table: TableOptions = TableOptions(),
    form: PrintOptions = PrintOptions(),
    node: NodeOptions = NodeOptions(),
) -> None:
    """Rank cities by an index, with the range of ranks that other weights give.

    What has to be said beside the scores (equal weights, gridded CO2, flagged figures) follows on
    standard error. Ends with 1 when figures or weights are missing, and says which.

    Example: conurb strategy index yrd --definition green-development --csv
    """
    from conurb.strategy.index.definition import read_definition
    from conurb.strategy.index.method import Method
    from conurb.strategy.report.rows import standing_rows
    from conurb.strategy.report.standing import study_standing

    method = Method(
        normalisation=normalisation, weighting=weighting, aggregation=aggregation, missing=missing
    )
    known = read_definition(definition)
    with steps(2) as step:
        panel = table.read() or read_subject(region, node, pack=table.pack).panel
        step("drawing weights")
        standing = study_standing(panel, known, method, years=span(years))
        step("done")
    scores = standing.scores
    said = [*scores.labels, *standing.warnings, f"{standing.near.how}; {standing.free.how}"]
    form.show(
        standing_rows(standing),
        said=said,
        definition=known.id,
        version=known.version,
        digest=scores.digest,
    )


def green(
    region: str = "yrd",
    /,
    *,
    inputs: Annotated[
        str | None, Parameter(help="Columns of inputs: efficiency by SBM instead of intensity.")
    ] = None,
    goods: Annotated[str | None, Parameter(help="Columns of good outputs, with --inputs.")] = None,
    bads: Annotated[str | None, Parameter(help="Columns of bad outputs, with --inputs.")] = None,
    years: Years = None,
    table: TableOptions = TableOptions(),
    form: PrintOptions = PrintOptions(),
    node: NodeOptions = NodeOptions(),
) -> None:
    """Show CO2 per GDP, its change and decoupling by city; or green efficiency of your table.

    With --inputs, --goods and --bads: slack-based efficiency and its change by a global
    Malmquist-Luenberger index. The shipped figures have no labour, capital or energy. Ends with 1
    when figures are missing.

    Example: conurb strategy green yrd --json
    """
    from conurb.strategy.report.carbon import study_carbon
    from conurb.strategy.report.rows import carbon_rows
    from conurb.strategy.report.subject import with_outcomes

    if (inputs is None) != (goods is None):
        raise InvalidRequestError("--inputs and --goods go together; --bads may be left out")
    with steps(2) as step:
        given = table.read()
        panel = given or read_subject(region, node, pack=table.pack).panel
        panel = _cut(panel, years)
        step("computing")
        if inputs is not None:
            rows = _efficiency(panel, names(inputs), names(goods), names(bads))
            said = ["1 is efficient among the cities given; scores have no standard errors"]
        else:
            carbon = study_carbon(panel if given is None else with_outcomes(panel))
            rows = carbon_rows(carbon)
            said = [
                f"CO2 per GDP of all: {carbon.total_change():+.1%} per year since {carbon.since}"
            ]
            if carbon.agreement is not None:
                said.append(f"growth by EDGAR and by CEADs correlates at {carbon.agreement[0]:.2f}")
        step("done")
    form.show(rows, said=said)


def effect(
    region: str = "yrd",
    /,
    *,
    treatment: Annotated[
        Path | None, Parameter(help="CSV: city and year of treatment. Default: the pilots.")
    ] = None,
    treatment_column: Annotated[
        str | None, Parameter(help="Column of --panel that holds the year of treatment.")
    ] = None,
    outcome: Annotated[str, Parameter(help="Column of the outcome.")] = "ln CO2 per GDP",
    per: Annotated[str | None, Parameter(help="Divide the outcome by this column.")] = None,
    log: Annotated[bool, Parameter(negative="", help="Take its logarithm.")] = False,
    covariates: Annotated[str | None, Parameter(help="Columns, comma-separated.")] = None,
    years: Years = "2000-2019",
    seed: Annotated[int, Parameter(help="Of all random draws.")] = 1,
    table: TableOptions = TableOptions(),
    form: PrintOptions = PrintOptions(),
    node: NodeOptions = NodeOptions(),
) -> None:
    """Estimate a policy's effect by every method beside another, from a table of who and when.

    The reading (none, doubtful, found) is by rules told in docs/strategy/report.md. A null is an
    answer: it ends with 0. Ends with 1 when nothing can be compared.

    Example: conurb strategy effect yrd --treatment pilots.csv --outcome 'ln CO2 per GDP'
    """
    from conurb.strategy.report.policy import study_policy
    from conurb.strategy.report.rows import main_rows, policy_rows

    with steps(2) as step:
        panel, who = read_design(region, treatment, treatment_column, table, node)
        panel, name = make_outcome(panel, outcome, per=per, log=log)
        step("estimating")
        policy = study_policy(
            panel, name, who, years=span(years), covariates=names(covariates), seed=seed
        )
        step("done")
    main = main_rows([policy])[0]
    said = [
        f"{main['treatment']} on {name}: {main['estimate']:+.4f} "
        f"[{policy.main.low:+.4f}, {policy.main.high:+.4f}], {main['method']}",
        f"reading: {policy.reading}; placebo p {_p(policy.placebo_p)}, "
        f"pre-trend p {_p(policy.pretrend_p)}",
        *policy.battery.warnings,
    ]
    form.show(policy_rows(policy), said=said, main=main)


def spillover(
    region: str = "yrd",
    /,
    *,
    show: Annotated[
        Literal["moran", "local", "impacts", "tests"], Parameter(help="Which answer.")
    ] = "moran",
    outcome: Annotated[str, Parameter(help="Column of the outcome.")] = "ln CO2 per GDP",
    regressors: Annotated[
        str, Parameter(help="Columns, comma-separated.")
    ] = "ln GDP per person,share of services",
    neighbours: Annotated[int, Parameter(help="How many nearest cities count.")] = 5,
    years: Years = "2005-2019",
    treatment: Annotated[
        Path | None, Parameter(help="CSV: city and year of treatment. Default: the pilots.")
    ] = None,
    table: TableOptions = TableOptions(),
    form: PrintOptions = PrintOptions(),
    node: NodeOptions = NodeOptions(),
) -> None:
    """Show whether neighbours are alike (Moran's I, LISA) and what spills over (SDM, DID).

    A table by --panel has the region's cities by their ids. CO2 by EDGAR is gridded: part of any
    spillover is built in. Ends with 1 when figures are missing.

    Example: conurb strategy spillover yrd --show impacts --json
    """
    from conurb.strategy.report import rows
    from conurb.strategy.report.around import study_around
    from conurb.strategy.report.write import join

    with steps(2) as step:
        who = None if treatment is None else read_treatment(
            treatment, unit=table.unit, time=table.time
        )  # fmt: skip
        subject = read_subject(region, node, pack=table.pack, treatment=who)
        given = table.read()
        panel = subject.panel if given is None else join(subject.panel, given)
        step("fitting")
        found = study_around(
            panel,
            subject.centres,
            subject.pilots,
            outcome=outcome,
            regressors=names(regressors),
            years=span(years) or panel.years,
            neighbours=neighbours,
        )
        step("done")
    make = {
        "moran": rows.moran_rows,
        "local": rows.local_rows,
        "impacts": rows.impact_rows,
        "tests": rows.choice_rows,
    }
    said = [f"neighbours: {neighbours} nearest centres", *found.warnings]
    said += [f"{what}: {why}" for what, why in found.refused.items()]
    if "edgar" in outcome.lower() or outcome == "ln CO2 per GDP":
        said.append("CO2 by EDGAR is gridded: part of any likeness or spillover is built in")
    form.show(make[show](found), said=said)


def network(
    region: str = "yrd",
    /,
    *,
    show: Annotated[
        Literal["cities", "links", "roles", "industry"], Parameter(help="Which answer.")
    ] = "cities",
    year: Annotated[int, Parameter(help="Of the figures.")] = 2019,
    core: Annotated[str | None, Parameter(help="The core. Default: the plan's centre.")] = None,
    table: TableOptions = TableOptions(),
    form: PrintOptions = PrintOptions(),
    node: NodeOptions = NodeOptions(),
) -> None:
    """Show who is linked with whom by gravity, the plan's roles, and what cities make.

    `poor_for_size` is who is linked worse than its size lets expect. Straight lines aren't travel
    times. Ends with 1 when figures are missing.

    Example: conurb strategy network yrd --show roles
    """
    from conurb.strategy.report import rows
    from conurb.strategy.report.linking import study_linking
    from conurb.strategy.report.write import join

    with steps(2) as step:
        subject = read_subject(region, node, pack=table.pack)
        given = table.read()
        panel = subject.panel if given is None else join(subject.panel, given)
        step("linking")
        found = study_linking(panel, subject.centres, subject.roles, year=year, core=core)
        step("done")
    make = {
        "cities": rows.linking_rows,
        "links": rows.link_rows,
        "roles": rows.role_rows,
        "industry": rows.industry_rows,
    }
    said = [f"{found.links.kind}; core {found.core}, {found.year}"]
    if show == "industry":
        said.append("three sectors can't show homogeneous competition, which happens within them")
    form.show(make[show](found), said=said)


def read_design(
    region: str,
    treatment: Path | None,
    column: str | None,
    table: TableOptions,
    node: NodeOptions,
) -> tuple[Panel, Treatment]:
    """Read the panel and who is treated: a file's, a column's, or the region's pilots."""
    from conurb.strategy.effect.treatment import Treatment

    if treatment is not None and column is not None:
        raise InvalidRequestError("--treatment and --treatment-column exclude each other")
    who = None
    if treatment is not None:
        who = read_treatment(treatment, unit=table.unit, time=table.time)
    panel = table.read()
    if panel is None:
        if column is not None:
            raise InvalidRequestError("--treatment-column is one of --panel, which isn't given")
        subject = read_subject(region, node, pack=table.pack, treatment=who)
        return subject.panel, subject.pilots if who is None else who
    if column is not None:
        who = Treatment.from_column(panel, column, name=column)
    if who is None:
        raise InvalidRequestError("Who is treated? give --treatment or --treatment-column")
    return panel, who


def make_outcome(panel: Panel, outcome: str, *, per: str | None, log: bool) -> tuple[Panel, str]:
    """Make the outcome: a column, divided by another, its logarithm."""
    from conurb.strategy.panel import transform

    name = outcome
    if per is not None:
        name = f"{outcome} / {per}"
        panel = transform.ratio(panel, outcome, per, name=name)
    if log:
        panel = transform.log(panel, name)
        name = f"ln {name}"
    return panel, name


def _cut(panel: Panel, years: str | None) -> Panel:
    wanted = span(years)
    if wanted is None:
        return panel
    return panel.select(years=[year for year in panel.years if year in wanted])


def _efficiency(
    panel: Panel, inputs: list[str], goods: list[str], bads: list[str]
) -> list[dict[str, Any]]:
    """Score every city and year, and its change from the year before."""
    import numpy as np

    from conurb.strategy.green.production import Production
    from conurb.strategy.green.productivity import global_malmquist_luenberger
    from conurb.strategy.green.sbm import sbm
    from conurb.strategy.report.rows import panel_rows
    from conurb.strategy.warning import StrategyWarning

    production = Production.from_panel(panel, inputs=inputs, goods=goods, bads=bads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StrategyWarning)
        score = sbm(production).score
        change = global_malmquist_luenberger(production).index
    first = np.full((len(panel.units), 1), np.nan)
    return panel_rows(panel, {"efficiency": score, "change": np.hstack([first, change])})


def _p(value: float | None) -> str:
    return "not computable" if value is None else f"{value:.3f}"
