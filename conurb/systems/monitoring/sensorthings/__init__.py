"""OGC SensorThings API 1.1 (18-088) over the node's own objects.

| SensorThings | object | where |
|---|---|---|
| Thing | `Device` | name, description, `details` |
| Location | `PointOfInterest` | the device's `refPointOfInterest` and `location` |
| HistoricalLocation | history of `refPointOfInterest` | `Device@TIME` |
| Datastream | `DeviceMeasurement` | `refDevice`, `refDeviceModel`, `refObservableProperty` |
| Sensor | `DeviceModel` | metadata is `documentation` |
| ObservedProperty | `ObservableProperty` | name, definition, description |
| Observation | history of `numValue` (else `textValue`) | `DeviceMeasurement@TIME` |
| FeatureOfInterest | `PointOfInterest` | the datastream's `refPointOfInterest` |

So an observation that came by NGSI-LD is read here, and the other way round. `kinds` says the
table, `mapping` turns one into the other, `options` and `filters` read what a client asks for,
`reading` and `writing` do it, `service` speaks HTTP, `messages` MQTT.
"""
