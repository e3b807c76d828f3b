"""`conurb load`: bring files of objects into a node."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from conurb.cli.asking import NodeOptions
from conurb.cli.output import err, print_json
from conurb.client.load import LoadReport, load_file
from conurb.client.mapping import Column, ColumnMapping, check_mapping, read_mapping
from conurb.errors import ConflictError, InvalidRequestError

app = App(name="load")

FAULTS_SHOWN: Final = 20


@app.default
def load(
    *files: Path,
    type: Annotated[str | None, Parameter(help="Type of the objects.")] = None,
    id: Annotated[
        str | None, Parameter(help="Template of the id, such as 'urn:ngsi-ld:Sensor:wuxi:{code}'.")
    ] = None,
    owner: Annotated[
        str | None, Parameter(help="Owner in ids made of a column 'id'. Default: the tenant.")
    ] = None,
    scope: Annotated[str | None, Parameter(help="Scope, a template like --id.")] = None,
    time: Annotated[str | None, Parameter(help="Column of the time that a row speaks of.")] = None,
    timezone: Annotated[
        str | None, Parameter(help="Of times without offset, such as Asia/Shanghai.")
    ] = None,
    longitude: Annotated[str | None, Parameter(help="Column, WGS84.")] = None,
    latitude: Annotated[str | None, Parameter(help="Column, WGS84.")] = None,
    map: Annotated[
        list[str] | None, Parameter(help="attribute=column, and =unit; may be given often.")
    ] = None,
    mapping: Annotated[Path | None, Parameter(help="A mapping file (TOML).")] = None,
    json: Annotated[bool, Parameter(negative="", help="Print the report as JSON.")] = False,
    node: NodeOptions = NodeOptions(),
) -> None:
    """Load GeoJSON, CSV, GeoParquet or NGSI-LD JSON files.

    A line that is wrong is reported with its number, the rest loads. Rows with a time go to
    history. See docs/guide/load.md for mapping files.

    Example: conurb load sensors.csv --type AirQualityObserved
    --id 'urn:ngsi-ld:AirQualityObserved:wuxi:{station}' --time hour --timezone Asia/Shanghai
    --longitude lon --latitude lat --map pm25=PM2.5=GQ --tenant wuxi
    """
    if not files:
        raise InvalidRequestError("which files? give their paths")
    base = read_mapping(mapping) if mapping else ColumnMapping()
    columns = tuple(_column(text) for text in map or ())
    laid = check_mapping(
        base.updated(
            type=type,
            id=id,
            owner=owner or node.tenant,
            scope=scope,
            time=time,
            timezone=timezone,
            longitude=longitude,
            latitude=latitude,
            attributes=(*base.attributes, *columns) if columns else None,
        )
    )
    reports: list[tuple[Path, LoadReport]] = []
    with node.connect() as connection, _progress() as progress:
        for file in files:
            task = progress.add_task(file.name, total=None, loaded=0, faults=0)

            def show(report: LoadReport, task: int = task) -> None:
                progress.update(task, loaded=report.loaded, faults=len(report.faults))  # type: ignore[arg-type]

            reports.append((file, load_file(connection, file, laid, progress=show)))
            progress.update(task, total=1, completed=1)
    _print_reports(reports, as_json=json)


def _column(text: str) -> Column:
    parts = text.split("=")
    if len(parts) not in (2, 3) or not all(parts):
        raise InvalidRequestError(
            f"--map {text!r}: attribute=column or attribute=column=unit is expected"
        )
    return Column(attribute=parts[0], column=parts[1], unit=parts[2] if len(parts) == 3 else None)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[loaded]:,} loaded, {task.fields[faults]:,} not"),
        TimeElapsedColumn(),
        console=err,
        disable=not err.is_terminal,
    )


def _print_reports(reports: list[tuple[Path, LoadReport]], *, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "file": str(file),
                    "loaded": report.loaded,
                    "faults": [{"place": f.place, "reason": f.reason} for f in report.faults],
                }
                for file, report in reports
            ]
        )
    faults = sum(len(report.faults) for _, report in reports)
    for file, report in reports:
        for fault in report.faults[:FAULTS_SHOWN]:
            err.print(f"{file}, {fault.place}: {fault.reason}", style="yellow", highlight=False)
        if len(report.faults) > FAULTS_SHOWN:
            err.print(f"{file}: {len(report.faults) - FAULTS_SHOWN:,} more; --json lists all")
        err.print(f"{file}: {report.loaded:,} loaded, {len(report.faults):,} not")
    if faults:
        raise ConflictError(f"{faults:,} rows could not be loaded")
