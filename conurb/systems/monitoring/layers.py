"""What of monitoring is on the map: measurements, devices, and alarms that go on."""

from __future__ import annotations

from typing import Final

from conurb.model.portrayal import Class, Layer

GROUP: Final = {"en": "Monitoring", "zh": "监测"}
SOURCE: Final = "Sensors of the cities"
LICENCE: Final = "as the city says"
FRESH_S: Final = 6 * 3600

SEVERITIES: Final = (
    Class("informational", "#8ecae6", {"en": "informational", "zh": "提示"}),
    Class("low", "#219ebc", {"en": "low", "zh": "低"}),
    Class("medium", "#ffb703", {"en": "medium", "zh": "中"}),
    Class("high", "#fb8500", {"en": "high", "zh": "高"}),
    Class("critical", "#d00000", {"en": "critical", "zh": "危急"}),
)

LAYERS: Final = (
    Layer(
        id="monitoring-alarms",
        type="Alert",
        title={"en": "Alarms of sensors", "zh": "传感器报警"},
        group=GROUP,
        form="circle",
        source=SOURCE,
        licence=LICENCE,
        attribute="severity",
        attributes=("headline", "description", "severity", "validFrom", "validTo"),
        label="headline",
        q='alertState=="active";refDetectionRule',
        classes=SEVERITIES,
        categorical=True,
        visible=True,
        order=20,
    ),
    Layer(
        id="monitoring-measurements",
        type="DeviceMeasurement",
        title={"en": "Measurements", "zh": "测量"},
        group=GROUP,
        form="circle",
        source=SOURCE,
        licence=LICENCE,
        attributes=("name", "controlledProperty", "numValue", "unit"),
        label="name",
        colour="#3a86ff",
        fresh_s=FRESH_S,
        order=60,
    ),
    Layer(
        id="monitoring-devices",
        type="Device",
        title={"en": "Devices", "zh": "设备"},
        group=GROUP,
        form="circle",
        source=SOURCE,
        licence=LICENCE,
        attributes=("name", "description", "fixQuality", "satellites"),
        label="name",
        colour="#6c757d",
        order=70,
    ),
)
