"""What a context source registration means (NGSI-LD, clauses 5.2.8 to 5.2.11 and 5.2.34).

Internal form: names are IRIs, times are microseconds since the epoch, operations are single ones
(the groups of table 4.20-2 taken apart). `conurb.model.registration_document` keeps what the
registrant wrote and compiles it into this; `conurb.federation` decides with it who is asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from conurb.model.endpoint import Pairs
from conurb.model.geometry import Geometry

THIS_PROCESS: Final = "urn:conurb:this-process"
"""The endpoint of a node that lives in the same process: it is called, not sent to."""

Mode = Literal["inclusive", "exclusive", "redirect", "auxiliary"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
PROXIED: Final[frozenset[Mode]] = frozenset({"exclusive", "redirect"})
"""Modes in which what is registered isn't held here (clause 4.3.6.3)."""

# ── operations (clause 4.20) ──────────────────────────────────────────────────────────────────

_TYPE_OPS: Final = (
    "retrieveEntityTypes",
    "retrieveEntityTypeDetails",
    "retrieveEntityTypeInfo",
    "retrieveAttrTypes",
    "retrieveAttrTypeDetails",
    "retrieveAttrTypeInfo",
)
_SUBSCRIPTION_OPS: Final = (
    "createSubscription",
    "updateSubscription",
    "retrieveSubscription",
    "querySubscription",
    "deleteSubscription",
)
_MAP_OPS: Final = (
    "retrieveEntityMap",
    "updateEntityMap",
    "deleteEntityMap",
    "createEntityMapQueryEntity",
)
_ASSOCIATION_OPS: Final = frozenset(
    {
        "retrieveEntity",
        "queryEntity",
        "queryBatch",
        *_TYPE_OPS,
        *_SUBSCRIPTION_OPS,
        "retrieveContextSourceIdentity",
    }
)
FEDERATION_OPS: Final = _ASSOCIATION_OPS | frozenset(_MAP_OPS)
"""What a source offers that doesn't say what it offers."""

AUXILIARY_OPS: Final = frozenset({"retrieveEntity", "queryEntity"})
"""What a source in auxiliary mode may offer (clause 5.9.2.4)."""

OPERATION_GROUPS: Final[dict[str, frozenset[str]]] = {
    "federationOps": FEDERATION_OPS,
    "associationOps": _ASSOCIATION_OPS,
    "updateOps": frozenset({"updateEntity", "updateAttrs", "replaceEntity", "replaceAttrs"}),
    "retrieveOps": frozenset({"retrieveEntity", "queryEntity"}),
    "redirectionOps": frozenset(
        {
            "createEntity",
            "updateEntity",
            "appendAttrs",
            "updateAttrs",
            "deleteAttrs",
            "deleteEntity",
            "mergeEntity",
            "replaceEntity",
            "replaceAttrs",
            "retrieveEntity",
            "queryEntity",
            "purgeEntity",
            *_TYPE_OPS,
            *_MAP_OPS,
            "retrieveContextSourceIdentity",
        }
    ),
}
"""Name of a group to its operations (table 4.20-2)."""

OPERATIONS: Final = frozenset().union(*OPERATION_GROUPS.values()) | frozenset(
    {
        "createBatch",
        "upsertBatch",
        "updateBatch",
        "deleteBatch",
        "mergeBatch",
        "upsertTemporal",
        "appendAttrsTemporal",
        "deleteAttrsTemporal",
        "updateAttrInstanceTemporal",
        "deleteAttrInstanceTemporal",
        "deleteTemporal",
        "retrieveTemporal",
        "queryTemporal",
        "createEntityMapQueryTemporal",
    }
)
"""Every operation that has a name (table 4.20-1)."""

# ── the registration ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class EntityInfo:
    """Entities that a source may know: of all `types`, and of an id or a pattern of ids (5.2.8)."""

    types: tuple[str, ...]
    id: str | None = None
    id_pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Information:
    """What a source may know (5.2.10): these attributes of these entities.

    No entities means any entity, no attributes any attribute. `attributes` are those of
    `propertyNames` and of `relationshipNames`.
    """

    entities: tuple[EntityInfo, ...] = ()
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TimeInterval:
    """From `start_us` to `end_us`, both included; open when there is no end (5.2.11)."""

    start_us: int
    end_us: int | None = None


_TITLE: Final = re.compile(r"[\w.@:/-]{1,80}", re.ASCII)
"""A title that can stand in a header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One context source: where it is, and what it may know (clause 5.2.9).

    `endpoint` is a URL or `THIS_PROCESS`, `tenant` the tenant to ask there. `alias` is the name by
    which the source is known in a Via header, `title` what people here call it. `operations` are
    single ones. `source_info` is what the source is told with every request (clauses 4.3.6.5,
    4.3.6.6). Empty `datasets` or `scopes`: any. A source with an interval gives history of that
    time and nothing else. `timeout_s` is how long an answer is waited for, `cooldown_s` how long
    nothing is sent after a failure, `local_only` that the source is to answer from what it holds
    itself, `cache_us` how long an answer may be given again (clause 5.2.34).
    """

    id: str
    endpoint: str
    alias: str | None = None
    title: str | None = None
    information: tuple[Information, ...] = (Information(),)
    tenant: str | None = None
    mode: Mode = "inclusive"
    operations: frozenset[str] = FEDERATION_OPS
    source_info: Pairs = ()
    datasets: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    location: Geometry | None = field(default=None, hash=False)
    observation_space: Geometry | None = field(default=None, hash=False)
    operation_space: Geometry | None = field(default=None, hash=False)
    management_interval: TimeInterval | None = None
    observation_interval: TimeInterval | None = None
    expires_us: int | None = None
    timeout_s: float | None = None
    cooldown_s: float = 0.0
    local_only: bool = False
    cache_us: int | None = None

    @property
    def name(self) -> str:
        """Give what answers call the source: its title if it can stand there, its alias, its id."""
        if self.title is not None and _TITLE.fullmatch(self.title):
            return self.title
        return self.alias or self.id

    @property
    def is_temporal(self) -> bool:
        """Whether the source gives history, not what is now (clause 5.9.1)."""
        return self.management_interval is not None or self.observation_interval is not None

    def is_expired(self, now_us: int) -> bool:
        """Whether the registration doesn't hold any more."""
        return self.expires_us is not None and self.expires_us <= now_us

    def told(self, key: str) -> str | None:
        """Find what the source is to be told under a key, whatever its case."""
        for name, value in self.source_info:
            if name.lower() == key.lower():
                return value
        return None
