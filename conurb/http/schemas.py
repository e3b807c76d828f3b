"""JSON Schemas of what requests and answers hold, for the OpenAPI document.

They say what a client may rely on, and leave the rules that JSON Schema can't say (which members go
with which, what a name may be) to the standard.
"""

from __future__ import annotations

from typing import Any, Final

_URI: Final[dict[str, Any]] = {"type": "string", "format": "uri"}
_TIME: Final[dict[str, Any]] = {"type": "string", "format": "date-time"}
_TEXT: Final[dict[str, Any]] = {"type": "string", "minLength": 1}
_TEXTS: Final[dict[str, Any]] = {"type": "array", "items": _TEXT}
_CONTEXT: Final[dict[str, Any]] = {"type": ["string", "object", "array"]}
_ONE_OR_MANY: Final[dict[str, Any]] = {"anyOf": [_TEXT, {**_TEXTS, "minItems": 1}]}


def obj(
    properties: dict[str, Any], *, required: tuple[str, ...] = (), more: bool = True
) -> dict[str, Any]:
    """Write the schema of an object; `more` allows members beyond those given."""
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    if not more:
        schema["additionalProperties"] = False
    return schema


def ref(name: str) -> dict[str, Any]:
    """Refer to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def items(schema: dict[str, Any]) -> dict[str, Any]:
    """Write the schema of a list."""
    return {"type": "array", "items": schema}


_HEAD: Final[dict[str, Any]] = {
    "id": _URI,
    "type": _ONE_OR_MANY,
    "scope": _ONE_OR_MANY,
    "createdAt": _TIME,
    "modifiedAt": _TIME,
    "expiresAt": _TIME,
    "@context": _CONTEXT,
}

_HISTORY_HEAD: Final[dict[str, Any]] = {**_HEAD, "scope": {"type": ["string", "array", "object"]}}

_INTERVAL: Final[dict[str, Any]] = obj({"startAt": _TIME, "endAt": _TIME}, required=("startAt",))
_COUNTED: Final[dict[str, Any]] = {"type": "integer", "minimum": 0, "readOnly": True}
_REGISTRATION: Final[dict[str, Any]] = {
    "id": _URI,
    "type": {"const": "ContextSourceRegistration"},
    "registrationName": _TEXT,
    "description": _TEXT,
    "information": {
        "type": "array",
        "minItems": 1,
        "items": obj(
            {
                "entities": {
                    "type": "array",
                    "minItems": 1,
                    "items": obj({"id": _URI, "idPattern": _TEXT, "type": _ONE_OR_MANY}),
                },
                "propertyNames": {**_TEXTS, "minItems": 1},
                "relationshipNames": {**_TEXTS, "minItems": 1},
            },
        ),
    },
    "tenant": _TEXT,
    "observationInterval": _INTERVAL,
    "managementInterval": _INTERVAL,
    "location": {"type": "object"},
    "observationSpace": {"type": "object"},
    "operationSpace": {"type": "object"},
    "expiresAt": _TIME,
    "endpoint": _URI,
    "contextSourceInfo": {
        "type": "array",
        "items": obj({"key": _TEXT, "value": {"type": "string"}}, required=("key", "value")),
    },
    "contextSourceAlias": _TEXT,
    "datasetId": {**_TEXTS, "minItems": 1},
    "mode": {"enum": ["inclusive", "exclusive", "redirect", "auxiliary"]},
    "operations": {**_TEXTS, "minItems": 1},
    "refreshRate": _TEXT,
    "management": obj(
        {
            "cacheDuration": _TEXT,
            "cooldown": {"type": "number", "exclusiveMinimum": 0},
            "localOnly": {"type": "boolean"},
            "timeout": {"type": "number", "exclusiveMinimum": 0},
        }
    ),
    "scope": _ONE_OR_MANY,
    "status": {"enum": ["ok", "failed"], "readOnly": True},
    "timesSent": _COUNTED,
    "timesFailed": _COUNTED,
    "lastSuccess": {**_TIME, "readOnly": True},
    "lastFailure": {**_TIME, "readOnly": True},
    "createdAt": {**_TIME, "readOnly": True},
    "modifiedAt": {**_TIME, "readOnly": True},
    "@context": _CONTEXT,
}
_STATUS: Final[dict[str, Any]] = {"enum": ["active", "paused", "expired"], "readOnly": True}
_SUBSCRIPTION: Final[dict[str, Any]] = {
    "type": {"const": "Subscription"},
    "subscriptionName": {"type": "string"},
    "description": {"type": "string"},
    "entities": {"type": "array", "items": ref("EntitySelector"), "minItems": 1},
    "watchedAttributes": {**_TEXTS, "minItems": 1},
    "notificationTrigger": {
        "type": "array",
        "minItems": 1,
        "items": {
            "enum": [
                "entityCreated",
                "entityUpdated",
                "entityDeleted",
                "attributeCreated",
                "attributeUpdated",
                "attributeDeleted",
            ]
        },
    },
    "timeInterval": {"type": "number", "exclusiveMinimum": 0},
    "throttling": {"type": "number", "exclusiveMinimum": 0},
    "q": _TEXT,
    "geoQ": ref("GeoQuery"),
    "scopeQ": _TEXT,
    "csf": _TEXT,
    "temporalQ": obj(
        {"timerel": _TEXT, "timeAt": _TIME, "endTimeAt": _TIME, "timeproperty": _TEXT},
        required=("timerel", "timeAt"),
    ),
    "datasetId": {**_TEXTS, "minItems": 1},
    "lang": _TEXT,
    "expandValues": _TEXT,
    "jsonKeys": _TEXT,
    "isActive": {"type": "boolean"},
    "expiresAt": _TIME,
    "localOnly": {"type": "boolean"},
    "splitEntities": {"type": "boolean"},
    "ngsildConformance": {"type": "string", "pattern": "^[0-9]+\\.[0-9]+$"},
    "jsonldContext": _URI,
    "notification": ref("NotificationParams"),
    "@context": _CONTEXT,
}

SCHEMAS: Final[dict[str, Any]] = {
    "ProblemDetails": obj(
        {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
        },
        required=("type", "title", "status", "detail"),
    ),
    "Id": _URI,
    "Ids": items(_URI),
    "Entity": {
        **obj(_HEAD),
        "description": "An NGSI-LD entity (4.5.1): id, type, and attributes by their names.",
    },
    "EntityFragment": {
        **obj(_HEAD),
        "description": "Part of an entity (5.4): attributes by their names.",
    },
    "EntityTemporal": {
        **obj(_HISTORY_HEAD),
        "description": "The history of an entity (4.5.6): for each attribute its instances.",
    },
    "EntityTemporalFragment": {
        **obj(_HISTORY_HEAD),
        "description": "Part of a history (5.2.20): for each attribute the instances to add.",
    },
    "AttributeFragment": {
        "description": "One attribute, or part of it (4.5.2 to 4.5.23), in any representation."
    },
    "Feature": obj(
        {
            "id": _URI,
            "type": {"const": "Feature"},
            "geometry": {"type": ["object", "null"]},
            "properties": {"type": "object"},
        },
        required=("type", "geometry", "properties"),
    ),
    "FeatureCollection": obj(
        {"type": {"const": "FeatureCollection"}, "features": items(ref("Feature"))},
        required=("type", "features"),
    ),
    "FeatureOrCollection": {"anyOf": [ref("Feature"), ref("FeatureCollection")]},
    "EntityError": obj(
        {"entityId": {"type": "string"}, "error": ref("ProblemDetails")},
        required=("entityId", "error"),
    ),
    "BatchOperationResult": obj(
        {"success": items({"type": "string"}), "errors": items(ref("EntityError"))},
        required=("success", "errors"),
    ),
    "UpdateResult": obj(
        {
            "updated": items({"type": "string"}),
            "notUpdated": items(
                obj(
                    {"attributeName": {"type": "string"}, "reason": {"type": "string"}},
                    required=("attributeName", "reason"),
                )
            ),
        },
        required=("updated", "notUpdated"),
    ),
    "EntitySelector": obj(
        {"id": _ONE_OR_MANY, "idPattern": _TEXT, "type": _TEXT}, required=("type",), more=False
    ),
    "GeoQuery": obj(
        {
            "georel": _TEXT,
            "geometry": _TEXT,
            "coordinates": {"type": ["string", "array"]},
            "geoproperty": _TEXT,
        },
        required=("georel", "geometry", "coordinates"),
        more=False,
    ),
    "Query": obj(
        {
            "type": {"const": "Query"},
            "entities": {"type": "array", "items": ref("EntitySelector"), "minItems": 1},
            "attrs": _TEXTS,
            "pick": _TEXTS,
            "omit": _TEXTS,
            "q": _TEXT,
            "geoQ": ref("GeoQuery"),
            "scopeQ": _TEXT,
            "csf": _TEXT,
            "lang": _TEXT,
            "datasetId": _TEXTS,
            "temporalQ": obj(
                {
                    "timerel": {"enum": ["before", "after", "between"]},
                    "timeAt": _TIME,
                    "endTimeAt": _TIME,
                    "timeproperty": _TEXT,
                    "lastN": {"type": "integer", "minimum": 1},
                }
            ),
            "aggrParams": obj({"aggrMethods": _TEXTS, "aggrPeriodDuration": _TEXT}),
            "join": {"enum": ["flat", "inline", "@none"]},
            "joinLevel": {"type": "integer", "minimum": 1},
            "containedBy": items(_URI),
            "@context": _CONTEXT,
        },
        required=("type",),
    ),
    "KeyValuePair": obj(
        {"key": {"type": "string"}, "value": {"type": "string"}},
        required=("key", "value"),
        more=False,
    ),
    "Endpoint": obj(
        {
            "uri": _URI,
            "accept": {"enum": ["application/json", "application/ld+json", "application/geo+json"]},
            "timeout": {"type": "number", "exclusiveMinimum": 0},
            "cooldown": {"type": "number", "exclusiveMinimum": 0},
            "receiverInfo": items(ref("KeyValuePair")),
            "notifierInfo": items(ref("KeyValuePair")),
        },
        required=("uri",),
        more=False,
    ),
    "NotificationParams": obj(
        {
            "endpoint": ref("Endpoint"),
            "format": {"enum": ["normalized", "concise", "simplified", "keyValues"]},
            "attributes": {**_TEXTS, "minItems": 1},
            "pick": {**_TEXTS, "minItems": 1},
            "omit": {**_TEXTS, "minItems": 1},
            "sysAttrs": {"type": "boolean"},
            "showChanges": {"type": "boolean"},
            "join": {"enum": ["flat", "inline", "@none"]},
            "joinLevel": {"type": "integer", "minimum": 1},
            "status": {"enum": ["ok", "failed"], "readOnly": True},
            "timesSent": {"type": "integer", "readOnly": True},
            "timesFailed": {"type": "integer", "readOnly": True},
            "lastNotification": {**_TIME, "readOnly": True},
            "lastSuccess": {**_TIME, "readOnly": True},
            "lastFailure": {**_TIME, "readOnly": True},
        },
        required=("endpoint",),
        more=False,
    ),
    "Subscription": obj(
        {**_SUBSCRIPTION, "id": _URI, "status": _STATUS},
        required=("type", "notification"),
        more=False,
    ),
    "SubscriptionFragment": obj({**_SUBSCRIPTION, "id": _URI}, more=False),
    "Registration": obj(_REGISTRATION, required=("type", "information", "endpoint")),
    "RegistrationFragment": obj(_REGISTRATION),
    "Context": obj({"@context": _CONTEXT}),
    "Labels": {
        "type": "object",
        "additionalProperties": obj({"zh": _TEXT, "en": _TEXT}, required=("zh", "en")),
    },
    "ContextList": items({"anyOf": [{"type": "string"}, {"type": "object"}]}),
    "ContextSourceIdentity": obj(
        {
            "id": _URI,
            "type": {"const": "ContextSourceIdentity"},
            "contextSourceAlias": _TEXT,
            "contextSourceUptime": _TEXT,
            "contextSourceTimeAt": _TIME,
        },
        required=("id", "type", "contextSourceAlias", "contextSourceUptime"),
    ),
    "EntityTypeList": {
        "anyOf": [
            obj({"id": _URI, "type": _TEXT, "typeList": _TEXTS}, required=("typeList",)),
            items(obj({"id": _TEXT, "typeName": _TEXT, "attributeNames": _TEXTS})),
        ]
    },
    "EntityTypeInfo": obj(
        {
            "id": _TEXT,
            "type": {"const": "EntityTypeInfo"},
            "typeName": _TEXT,
            "entityCount": {"type": "integer"},
            "attributeDetails": items({"type": "object"}),
        },
        required=("id", "type", "typeName", "entityCount", "attributeDetails"),
    ),
    "AttributeList": {
        "anyOf": [
            obj({"id": _URI, "type": _TEXT, "attributeList": _TEXTS}, required=("attributeList",)),
            items(obj({"id": _TEXT, "attributeName": _TEXT, "typeNames": _TEXTS})),
        ]
    },
    "Attribute": obj(
        {
            "id": _TEXT,
            "type": {"const": "Attribute"},
            "attributeName": _TEXT,
            "attributeCount": {"type": "integer"},
            "attributeTypes": _TEXTS,
            "typeNames": _TEXTS,
        },
        required=("id", "type", "attributeName"),
    ),
    "Health": obj(
        {"status": {"enum": ["ok", "ill"]}, "version": _TEXT, "detail": _TEXT},
        required=("status", "version"),
    ),
    "Version": obj({"conurb": _TEXT, "ngsi-ld": _TEXT}, required=("conurb", "ngsi-ld")),
    "OpenApi": obj({"openapi": _TEXT}, required=("openapi",)),
}
"""Schema by name, for `#/components/schemas/`."""
