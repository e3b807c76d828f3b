"""`conurb strategy`: the report on a region, each part of it, results as objects, and exports."""

from __future__ import annotations

import shlex
import sys
import webbrowser
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import App, Parameter

from conurb.cli import measuring
from conurb.cli.asking import NodeOptions
from conurb.cli.output import err, print_json
from conurb.cli.subjects import (
    TableOptions,
    names,
    read_subject,
    read_table,
    read_treatment,
    span,
    steps,
)
from conurb.errors import InvalidRequestError

if TYPE_CHECKING:
    from conurb.strategy.panel import Panel

DEFINITION: Final = "green-development"

app = App(name="strategy", help="Does it make the region better, and how do we know?")
measuring.add_to(app)


@app.command
def report(
    region: str = "yrd",
    /,
    *,
    lang: Annotated[Literal["zh", "en"], Parameter(help="Language of the report.")] = "zh",
    out: Annotated[Path | None, Parameter(help="File. Default: REGION-report-LANG.html.")] = None,
    open: Annotated[bool, Parameter(negative="", help="Show it in the browser.")] = False,
    csv: Annotated[Path | None, Parameter(help="Also write every table into this folder.")] = None,
    treatment: Annotated[
        Path | None, Parameter(help="CSV: city and year of treatment. Default: the pilots.")
    ] = None,
    table: Annotated[
        Path | None, Parameter(help="Your own figures: CSV, Parquet or Stata, by city and year.")
    ] = None,
    role: Annotated[
        list[str] | None, Parameter(help="What a column of --table is: patents=COLUMN.")
    ] = None,
    pack: Annotated[
        bool, Parameter(negative="", help="Read the region pack alone; ask no node.")
    ] = False,
    publish: Annotated[
        bool, Parameter(negative="", help="Also put the index into the region, as objects.")
    ] = False,
    json: Annotated[bool, Parameter(negative="", help="Print the headlines as JSON.")] = False,
    node: NodeOptions = NodeOptions(),
) -> None:
    """Write the strategy report of a region: one HTML file that needs nothing else.

    Figures come from the region that is up; from its pack when none answers, which is said. Ends
    with 1 when the node named by --url doesn't answer, or a file can't be read.

    Example: conurb strategy report yrd --open
    """
    from conurb.strategy.report.write import PARTS, Extra, make_report

    who = None if treatment is None else read_treatment(treatment, unit="city", time="year")
    extra = None
    if table is not None:
        extra = Extra(read_table(table, "city", "year"), _roles(role))
    elif role:
        raise InvalidRequestError("--role says what a column of --table is; give --table")
    with steps(len(PARTS) + 1) as step:
        subject = read_subject(region, node, pack=pack, treatment=who)
        step("standing")
        made = make_report(
            subject,
            lang=lang,
            today=date.today(),
            command=shlex.join(["conurb", *sys.argv[1:]]),
            extra=extra,
            done=step,
        )
    path = out or Path(f"{subject.id}-report-{lang}.html")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(made.to_html(), encoding="utf-8")
    if csv is not None:
        csv.mkdir(parents=True, exist_ok=True)
        for name, text in made.list_data():
            (csv / name).write_text(text, encoding="utf-8-sig")
    if publish:
        _publish(subject.panel, region, DEFINITION, None, node)
    heads = [{"part": one.id, "headline": one.headline} for one in made.sections]
    if json:
        print_json({"file": str(path), "origin": subject.origin, "parts": heads})
    else:
        for one in heads:
            err.print(f"· {one['headline']}", highlight=False)
        err.print(f"{path}: {path.stat().st_size / 1000:,.0f} kB", highlight=False)
    if open:
        webbrowser.open(path.resolve().as_uri())


@app.command
def publish(
    region: str = "yrd",
    /,
    *,
    definition: Annotated[
        str, Parameter(help="One that ships by its name, or a TOML file of yours.")
    ] = "green-development",
    years: Annotated[str | None, Parameter(help="Such as 2011-2017.")] = None,
    node: NodeOptions = NodeOptions(),
    json: Annotated[bool, Parameter(negative="", help="Print what was written as JSON.")] = False,
) -> None:
    """Put an index into the region as KeyPerformanceIndicator objects, one per city, with history.

    They belong to the region's node and refer to their City, which isn't touched; One Map shows
    them by year. Doing it again changes nothing. Ends with 1 when no node answers.

    Example: conurb strategy publish yrd --definition green-development
    """
    with steps(1) as step:
        subject = read_subject(region, node, pack=False, needed=True)
        step("read")
    written = _publish(subject.panel, region, definition, span(years), node)
    if json:
        print_json(written)


@app.command
def export(
    folder: Path,
    /,
    *,
    to: Annotated[Literal["stata", "r"], Parameter(help="For which program.")],
    region: Annotated[str, Parameter(help="The region (pack) whose figures are read.")] = "yrd",
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
    years: Annotated[str | None, Parameter(help="Such as 2000-2019.")] = "2000-2019",
    table: TableOptions = TableOptions(),
    node: NodeOptions = NodeOptions(),
    json: Annotated[bool, Parameter(negative="", help="Print the files as JSON.")] = False,
) -> None:
    """Write the panel and a script that repeats the main estimate in Stata or R.

    The folder gets the data (dta or csv), the script, and our own estimate to compare with. Ends
    with 1 when nothing can be compared.

    Example: conurb strategy export out --to stata
    """
    from conurb.strategy.export.write import write_export
    from conurb.strategy.report.policy import study_policy

    with steps(2) as step:
        panel, who = measuring.read_design(region, treatment, treatment_column, table, node)
        panel, name = measuring.make_outcome(panel, outcome, per=per, log=log)
        step("estimating")
        policy = study_policy(panel, name, who, years=span(years), covariates=names(covariates))
        step("writing")
        files = write_export(
            panel.select(years=policy.years), policy, folder, to=to, covariates=names(covariates)
        )
    if json:
        print_json([str(one) for one in files])
    for one in files:
        err.print(str(one), highlight=False)


def _publish(
    panel: Panel, region: str, definition: str, years: range | None, node: NodeOptions
) -> dict[str, Any]:
    """Write an index's indicators to the node of the region, and say what that did."""
    from conurb.regions.pack import read_pack
    from conurb.strategy.index.definition import read_definition
    from conurb.strategy.report.standing import study_standing
    from conurb.strategy.results import publish as write

    scores = study_standing(panel, read_definition(definition), years=years, draws=1).scores
    with node.connect() as connection:
        done = write(connection, scores, read_pack(region))
    err.print(
        f"{done.definition} {done.version}: {done.indicators} indicators, {done.written} written; "
        f"hash of the input {done.digest[:12]}",
        highlight=False,
    )
    for one in scores.labels:
        err.print(one, highlight=False)
    return asdict(done)


def _roles(given: list[str] | None) -> dict[str, str]:
    roles = {}
    for text in given or ():
        name, _, column = text.partition("=")
        if not name or not column:
            raise InvalidRequestError(f"--role {text!r}: role=COLUMN is expected")
        roles[name.strip()] = column.strip()
    return roles
