"""Loading files into a node: batches out, a count of both ends back.

Rows that speak of a time go to history (`/temporal/entities`), the others to current state by
batch upsert that keeps the attributes a row doesn't name. A line that is wrong is reported with
its place; the rest loads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from conurb.client.connection import API, Connection, Document, batch_errors
from conurb.client.mapping import ColumnMapping
from conurb.client.readers import Fault, Read, iter_file
from conurb.errors import AccessError, ConurbError, UnavailableError

BATCH_SIZE: Final = 1000
"""Rows that travel together; also how much of a file is held in memory at once."""


@dataclass(slots=True)
class LoadReport:
    """What became of the rows: how many were loaded, and which were not and why."""

    loaded: int = 0
    faults: list[Fault] = field(default_factory=list)


Progress = Callable[[LoadReport], None]


def load_file(
    connection: Connection,
    path: Path,
    mapping: ColumnMapping,
    *,
    progress: Progress = lambda report: None,
) -> LoadReport:
    """Load one file; give what was loaded and what wasn't.

    Raises InputError when the file can't be read at all, AccessError or UnavailableError when the
    node refuses or is gone: what was reported as loaded by then is loaded.
    """
    report = LoadReport()
    batch: list[Read] = []
    seen: set[str] = set()
    for read in iter_file(path, mapping):
        if isinstance(read, Fault):
            report.faults.append(read)
            continue
        # Two rows of one object without a time can't travel in one batch: the later one counts.
        repeated = not read.temporal and read.document["id"] in seen
        if batch and (len(batch) >= BATCH_SIZE or repeated or batch[0].temporal != read.temporal):
            _send(connection, batch, report)
            progress(report)
            batch, seen = [], set()
        batch.append(read)
        seen.add(read.document["id"])
    if batch:
        _send(connection, batch, report)
    progress(report)
    return report


def _send(connection: Connection, batch: list[Read], report: LoadReport) -> None:
    if batch[0].temporal:
        _send_history(connection, batch, report)
    else:
        _send_state(connection, batch, report)


def _send_state(connection: Connection, batch: list[Read], report: LoadReport) -> None:
    try:
        response = connection.request(
            "POST",
            f"{API}/entityOperations/upsert",
            params={"options": "update"},
            body=[read.document for read in batch],
        )
    except (AccessError, UnavailableError):
        raise
    except ConurbError as error:
        report.faults += [Fault(read.place, error.detail) for read in batch]
        return
    reasons = {error.get("entityId"): reason_of(error) for error in batch_errors(response)}
    for read in batch:
        reason = reasons.get(read.document["id"])
        if reason is None:
            report.loaded += 1
        else:
            report.faults.append(Fault(read.place, reason))


def reason_of(error: Document) -> str:
    """Say in words what a batch operation's error says."""
    problem = error.get("error", error)
    if isinstance(problem, dict):
        return str(problem.get("detail") or problem.get("title") or problem)
    return str(problem)


def _send_history(connection: Connection, batch: list[Read], report: LoadReport) -> None:
    for reads in _by_object(batch):
        try:
            connection.request("POST", f"{API}/temporal/entities", body=_evolution(reads))
        except (AccessError, UnavailableError):
            raise
        except ConurbError as error:
            _send_one_by_one(connection, reads, report, error)
        else:
            report.loaded += len(reads)


def _send_one_by_one(
    connection: Connection, reads: list[Read], report: LoadReport, error: ConurbError
) -> None:
    """Find the rows that are wrong among those of one object, so that the others still load."""
    if len(reads) == 1:
        report.faults.append(Fault(reads[0].place, error.detail))
        return
    for read in reads:
        _send_history(connection, [read], report)


def _by_object(batch: list[Read]) -> Iterable[list[Read]]:
    groups: dict[str, list[Read]] = {}
    for read in batch:
        groups.setdefault(read.document["id"], []).append(read)
    return groups.values()


def _evolution(reads: list[Read]) -> Document:
    """Join the rows of one object into one temporal representation (clause 4.5.7)."""
    first = reads[0].document
    evolution: dict[str, Any] = {}
    for read in reads:
        for name, value in read.document.items():
            if name in ("id", "type", "scope", "@context"):
                evolution[name] = value
            else:
                instances = value if isinstance(value, list) else [value]
                known = evolution.setdefault(name, [])
                known.extend(one for one in instances if one not in known[-1:])
    evolution["id"] = first["id"]
    return evolution
