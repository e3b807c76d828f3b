"""JSON Patch (RFC 6902) on an entity of SensorThings (18-088, 10.3.1)."""

from __future__ import annotations

from typing import Any

from conurb.errors import BadRequestDataError, InvalidRequestError
from conurb.systems.monitoring.sensorthings.kinds import Kind


def patched(kind: Kind, before: dict[str, Any], patch: list[Any]) -> dict[str, Any]:
    """Apply a JSON Patch to an entity's properties; give those that it speaks of."""
    document = {name: before[name] for name in kind.properties if name in before}
    touched: set[str] = set()
    for step in patch:
        if not isinstance(step, dict) or not str(step.get("path", "")).startswith("/"):
            raise InvalidRequestError(f"{step!r:.200} is not a step of a JSON Patch")
        keys = [key.replace("~1", "/").replace("~0", "~") for key in step["path"][1:].split("/")]
        touched.add(keys[0])
        holder: Any = document
        for key in keys[:-1]:
            holder = holder.setdefault(key, {}) if isinstance(holder, dict) else None
        if not isinstance(holder, dict):
            raise BadRequestDataError(f"JSON Patch: {step['path']!r:.200} leads nowhere")
        match step.get("op"):
            case "add" | "replace":
                holder[keys[-1]] = step.get("value")
            case "remove":
                holder.pop(keys[-1], None)
            case "test":
                if holder.get(keys[-1]) != step.get("value"):
                    raise BadRequestDataError(f"JSON Patch: {step['path']!r:.200} is another value")
            case other:
                raise BadRequestDataError(f"JSON Patch: {other!r:.50} isn't known here")
    return {name: document[name] for name in touched if name in document}
