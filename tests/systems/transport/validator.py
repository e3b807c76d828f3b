"""The canonical GTFS validator (MobilityData), resolved by Maven's own client.

Its library and what that needs are resolved once into Maven's local repository, and run by a
launcher of a dozen lines. Without Java, Maven or the network the tests that need it skip.
"""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

VERSION = "6.0.0"
"""The newest version of which Maven could resolve every part."""

RESOLVE_S = 240
RUN_S = 300

POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>conurb.tests</groupId><artifactId>validator</artifactId><version>1</version>
<dependencies><dependency>
<groupId>org.mobilitydata.gtfs-validator</groupId><artifactId>gtfs-validator-main</artifactId>
<version>{VERSION}</version></dependency></dependencies></project>
"""

LAUNCHER = """import java.nio.file.Path;
import java.time.LocalDate;
import org.mobilitydata.gtfsvalidator.input.CountryCode;
import org.mobilitydata.gtfsvalidator.runner.ApplicationType;
import org.mobilitydata.gtfsvalidator.runner.ValidationRunner;
import org.mobilitydata.gtfsvalidator.runner.ValidationRunnerConfig;
import org.mobilitydata.gtfsvalidator.util.VersionResolver;

public class Validate {
  public static void main(String[] args) throws Exception {
    for (int i = 1; i < args.length; i++) {
      ValidationRunnerConfig config = ValidationRunnerConfig.builder()
          .setGtfsSource(Path.of(args[i]).toUri())
          .setOutputDirectory(Path.of(args[i] + ".report"))
          .setCountryCode(CountryCode.forStringOrUnknown("CN"))
          .setDateForValidation(LocalDate.parse(args[0]))
          .setNumThreads(1)
          .setSkipValidatorUpdate(true)
          .build();
      new ValidationRunner(new VersionResolver(ApplicationType.CLI)).run(config);
    }
    System.exit(0);
  }
}
"""


@functools.cache
def classpath(folder: Path) -> str:
    """Resolve the validator in a folder; skip the test when that can't be."""
    for program in ("java", "javac", "mvn"):
        if shutil.which(program) is None:
            pytest.skip(f"the canonical GTFS validator needs {program}")
    (folder / "pom.xml").write_text(POM)
    (folder / "Validate.java").write_text(LAUNCHER)
    resolve = ["mvn", "-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=classpath"]
    for flags in (["-o"], []):
        done = subprocess.run(
            [*resolve, *flags],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=RESOLVE_S,
            check=False,
        )
        if done.returncode == 0:
            return (folder / "classpath").read_text().strip()
    pytest.skip(f"the canonical GTFS validator can't be had: {done.stdout[-200:]}")


def validate(feeds: list[Path], folder: Path, *, day: str) -> list[list[dict[str, Any]]]:
    """Validate feeds as of a day; give each one's notices, with severity, code and count."""
    command = ["java", "-cp", classpath(folder), "Validate.java", day, *map(str, feeds)]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    reports = [Path(f"{feed}.report") / "report.json" for feed in feeds]
    assert all(report.exists() for report in reports), done.stderr[-2000:]
    return [json.loads(report.read_text())["notices"] for report in reports]
