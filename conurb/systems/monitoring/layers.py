"""What of monitoring is on the map: measurements, devices, and alarms that go on."""

from __future__ import annotations

from functools import partial
from typing import Final

from conurb.model.portrayal import Class, Layer

GROUP: Final = {"en": "Monitoring", "zh": "监测"}
SOURCE: Final = "Sensors of the cities"
LICENCE: Final = "as the city says"
FRESH_S: Final = 6 * 3600

_layer = partial(Layer, group=GROUP, source=SOURCE, licence=LICENCE)

SEVERITIES: Final = (
    Class.of("informational", "#8ecae6", "informational", "提示"),
    Class.of("low", "#219ebc", "low", "低"),
    Class.of("medium", "#ffb703", "medium", "中"),
    Class.of("high", "#fb8500", "high", "高"),
    Class.of("critical", "#d00000", "critical", "危急"),
)

LAYERS: Final = (
    _layer(
        id="monitoring-alarms",
        type="Alert",
        title={"en": "Alarms of sensors", "zh": "传感器报警"},
        form="circle",
        attribute="severity",
        attributes=("headline", "description", "severity", "validFrom", "validTo"),
        label="headline",
        q='alertState=="active";refDetectionRule',
        classes=SEVERITIES,
        categorical=True,
        visible=True,
        order=20,
    ),
    _layer(
        id="monitoring-measurements",
        type="DeviceMeasurement",
        title={"en": "Measurements", "zh": "测量"},
        form="circle",
        attributes=("name", "controlledProperty", "numValue", "unit"),
        label="name",
        colour="#3a86ff",
        fresh_s=FRESH_S,
        order=60,
    ),
    _layer(
        id="monitoring-devices",
        type="Device",
        title={"en": "Devices", "zh": "设备"},
        form="circle",
        attributes=("name", "description", "fixQuality", "satellites"),
        label="name",
        colour="#6c757d",
        order=70,
    ),
)
