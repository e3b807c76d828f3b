"""BeiDou and other GNSS receivers: NMEA positions, RTCM reference stations.

    [[system.monitoring.nmea]]
    name = "dam-crest"
    device = "dam-crest-1"
    url = "tcp://10.1.2.3:5017"          # or: folder = "nmea", whose files' lines are read
    every_s = 30                         # one fix each half minute (default: each one)
    reference = [120.21, 31.34, 12.5]    # gives east, north and up in mm from there

    [[system.monitoring.rtcm]]
    name = "base"
    device = "base-1"
    url = "tcp://10.1.2.4:2101"          # or a caster's: ntrip://user:password@host:2101/MOUNTPOINT

A fix becomes the device's `location` with its history. With a reference, its displacement becomes
three measurements, which the method `motion` judges. An RTCM station says where its antenna is
(1005, 1006) and how many satellites it sees per system (MSM). Needs pynmeagps and pyrtcm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import BadRequestDataError, ConfigError
from conurb.model.operations.temporal import AppendEvolution
from conurb.model.parse import parse_temporal_fragment
from conurb.model.time import US_PER_S, fixed
from conurb.model.vocabulary import platform_terms
from conurb.systems.contract import Connector, FileWatch, Message, Site, Stream
from conurb.systems.monitoring.sources.measuring import Measured, local_name, operations_of
from conurb.systems.monitoring.sources.tcp import frames, lines, stream_of

if TYPE_CHECKING:
    from conurb.model.changes import Operation
    from conurb.systems.sources import Read

DAY_US: Final = 86_400 * US_PER_S
A_M: Final = 6_378_137.0
F: Final = 1 / 298.257223563
"""WGS 84; CGCS2000, which BeiDou speaks, differs by a tenth of a millimetre."""
SYSTEMS: Final[dict[int, str]] = {
    107: "gps",
    108: "glonass",
    109: "galileo",
    111: "qzss",
    112: "beidou",
}
"""The first three digits of an MSM message to its system."""


@dataclass(frozen=True, slots=True)
class Fix:
    """One position of a receiver, WGS 84."""

    longitude: float
    latitude: float
    altitude_m: float | None
    at_us: int
    quality: int | None = None
    satellites: int | None = None
    hdop: float | None = None


def connectors(site: Site) -> list[Connector]:
    """Give the connectors of the tables `nmea` and `rtcm`."""
    found: list[Connector] = []
    for table in _tables(site, "nmea"):
        source: FileWatch | Stream
        if "folder" in table:
            source = FileWatch(Path(str(table["folder"])), str(table.get("pattern", "*")), True)
        else:
            source = Stream(stream_of(str(table.get("url")), lines))
        found.append(Connector(str(table["name"]), source, nmea_reader(table)))
    for table in _tables(site, "rtcm"):
        stream = Stream(stream_of(str(table.get("url")), frames))
        found.append(Connector(str(table["name"]), stream, rtcm_reader(str(table["device"]))))
    return found


def _tables(site: Site, kind: str) -> list[Mapping[str, Any]]:
    tables = site.options.get(kind, [])
    if not isinstance(tables, list):
        raise ConfigError(f"system.monitoring.{kind}: it is a list of tables, [[...]]")
    for table in tables:
        if "name" not in table or "device" not in table:
            raise ConfigError(f"system.monitoring.{kind}: name and device are needed")
    return tables


# ── NMEA ──────────────────────────────────────────────────────────────────────────────────────


def nmea_reader(table: Mapping[str, Any]) -> Read:
    """Give what reads the sentences of one receiver."""
    device = str(table["device"])
    every_us = int(float(table.get("every_s", 0)) * US_PER_S)
    reference = table.get("reference")
    if reference is not None and len(reference) != 3:
        raise ConfigError("system.monitoring.nmea: reference is [longitude, latitude, metres]")

    async def read(message: Message, site: Site) -> Sequence[Operation]:
        fix = read_fix(message.body, message.at_us)
        if fix is None:
            return ()
        last: dict[str, int] = site.memory.setdefault("fixes", {})
        if every_us and fix.at_us // every_us <= last.get(device, 0):
            return ()
        last[device] = fix.at_us // every_us if every_us else fix.at_us
        operations: list[Operation] = [_placed(device, fix, site)]
        if reference is not None and fix.altitude_m is not None:
            shift = displacement_mm(fix, *(float(one) for one in reference))
            position = (float(reference[0]), float(reference[1]))
            measured = [
                Measured(device, name, value, fix.at_us, "MMT", position)
                for name, value in zip(("east", "north", "up"), shift, strict=True)
            ]
            operations += await operations_of(measured, site)
        return operations

    return read


def read_fix(sentence: bytes, received_us: int) -> Fix | None:
    """Read a GGA sentence; None for another kind, or one without a fix.

    The sentence has a time of day alone: the day is the one that puts it nearest to when it came.
    Raises BadRequestDataError for what isn't NMEA, or has the wrong checksum.
    """
    from pynmeagps import NMEAReader
    from pynmeagps.exceptions import NMEAParseError

    try:
        parsed = NMEAReader.parse(sentence.strip() + b"\r\n")
    except NMEAParseError as error:
        raise BadRequestDataError(f"not NMEA: {error}") from error
    if parsed is None or parsed.msgID != "GGA" or not parsed.quality or parsed.lat == "":
        return None
    at = parsed.time
    day_us = (at.hour * 3600 + at.minute * 60 + at.second) * US_PER_S + at.microsecond
    at_us = received_us - received_us % DAY_US + day_us
    if at_us - received_us > DAY_US // 2:
        at_us -= DAY_US
    elif received_us - at_us > DAY_US // 2:
        at_us += DAY_US
    altitude = parsed.alt if isinstance(parsed.alt, int | float) else None
    separation = parsed.sep if isinstance(parsed.sep, int | float) else 0.0
    return Fix(
        longitude=float(parsed.lon),
        latitude=float(parsed.lat),
        altitude_m=None if altitude is None else float(altitude) + float(separation),
        at_us=at_us,
        quality=int(parsed.quality),
        satellites=int(parsed.numSV),
        hdop=float(parsed.HDOP) if parsed.HDOP != "" else None,
    )


def _placed(device: str, fix: Fix, site: Site) -> Operation:
    """Write a fix as the device's place, with how good it is."""
    at = fixed(fix.at_us)
    point = {"type": "Point", "coordinates": [fix.longitude, fix.latitude]}
    document: dict[str, Any] = {
        "type": "Device",
        "location": [{"type": "GeoProperty", "value": point, "observedAt": at}],
    }
    for name, value in (
        ("altitude", fix.altitude_m),
        ("fixQuality", fix.quality),
        ("satellites", fix.satellites),
        ("hdop", fix.hdop),
    ):
        if value is not None:
            document[name] = [{"type": "Property", "value": value, "observedAt": at}]
    fragment = parse_temporal_fragment(document, platform_terms())
    return AppendEvolution(site.urn("Device", local_name(device)), fragment)


# ── geodesy ───────────────────────────────────────────────────────────────────────────────────


def to_ecef_m(longitude: float, latitude: float, height_m: float) -> tuple[float, float, float]:
    """Give earth-centred coordinates of a geodetic position (WGS 84)."""
    lon, lat = math.radians(longitude), math.radians(latitude)
    squared = F * (2 - F)
    radius = A_M / math.sqrt(1 - squared * math.sin(lat) ** 2)
    return (
        (radius + height_m) * math.cos(lat) * math.cos(lon),
        (radius + height_m) * math.cos(lat) * math.sin(lon),
        (radius * (1 - squared) + height_m) * math.sin(lat),
    )


def from_ecef_m(x: float, y: float, z: float) -> tuple[float, float, float]:
    """Give longitude, latitude and height of earth-centred coordinates (Bowring 1985)."""
    squared = F * (2 - F)
    b = A_M * (1 - F)
    second = squared / (1 - squared)
    p = math.hypot(x, y)
    theta = math.atan2(z * A_M, p * b)
    lat = math.atan2(
        z + second * b * math.sin(theta) ** 3, p - squared * A_M * math.cos(theta) ** 3
    )
    radius = A_M / math.sqrt(1 - squared * math.sin(lat) ** 2)
    height = p * math.cos(lat) + z * math.sin(lat) - A_M**2 / radius
    return math.degrees(math.atan2(y, x)), math.degrees(lat), height


def displacement_mm(
    fix: Fix, longitude: float, latitude: float, height_m: float
) -> tuple[float, float, float]:
    """Give how far a fix is east, north and up of a reference, in millimetres."""
    here = to_ecef_m(fix.longitude, fix.latitude, fix.altitude_m or 0.0)
    there = to_ecef_m(longitude, latitude, height_m)
    dx, dy, dz = (one - other for one, other in zip(here, there, strict=True))
    lon, lat = math.radians(longitude), math.radians(latitude)
    east = -math.sin(lon) * dx + math.cos(lon) * dy
    along = math.cos(lon) * dx + math.sin(lon) * dy
    north = -math.sin(lat) * along + math.cos(lat) * dz
    up = math.cos(lat) * along + math.sin(lat) * dz
    return east * 1000, north * 1000, up * 1000


# ── RTCM ──────────────────────────────────────────────────────────────────────────────────────


def rtcm_reader(device: str) -> Read:
    """Give what reads the frames of one reference station."""

    async def read(message: Message, site: Site) -> Sequence[Operation]:
        kind, found = read_frame(message.body)
        if kind in (1005, 1006):
            longitude, latitude, height = from_ecef_m(*found["ecef_m"])
            fix = Fix(longitude, latitude, height, message.at_us)
            return (_placed(device, fix, site),)
        system = SYSTEMS.get(kind // 10)
        if system is None or "satellites" not in found:
            return ()
        one = Measured(device, f"satellites-{system}", found["satellites"], message.at_us, "C62")
        return await operations_of([one], site)

    return read


def read_frame(frame: bytes) -> tuple[int, dict[str, Any]]:
    """Read an RTCM 3 frame: its message number, and what of it is kept.

    Raises BadRequestDataError for what isn't one, or has the wrong CRC.
    """
    from pyrtcm import RTCMReader
    from pyrtcm.exceptions import RTCMParseError

    try:
        parsed = RTCMReader.parse(frame)
    except (RTCMParseError, ValueError, IndexError, KeyError) as error:
        raise BadRequestDataError(f"not RTCM 3: {error}") from error
    kind = int(parsed.identity)
    found: dict[str, Any] = {}
    if kind in (1005, 1006):
        found["ecef_m"] = (float(parsed.DF025), float(parsed.DF026), float(parsed.DF027))
    elif hasattr(parsed, "NSat"):
        found["satellites"] = int(parsed.NSat)
    return kind, found
