// One object in full, as NGSI-LD says it, read into rows for people.

import type { Names } from "../i18n/say";
import { askJson, CONTEXT, query, type Answer } from "./http";

export type Raw = Readonly<Record<string, unknown>> & { readonly id: string };

/** One thing that an object says of itself. */
export interface Statement {
  readonly term: string;
  readonly kind: string;
  readonly value: unknown;
  /** Texts by language, when it is one. */
  readonly names: Names | null;
  readonly unit: string | null;
  readonly observedAt: string | null;
  readonly dataset: string | null;
  readonly source: string | null;
  readonly simulated: boolean;
  readonly replayed: boolean;
}

/** A relation to other objects. */
export interface Relation {
  readonly term: string;
  readonly ids: readonly string[];
}

const HEAD = new Set(["id", "type", "scope", "@context", "createdAt", "modifiedAt", "deletedAt"]);

/** Ask for an object as it is; at a time, for what was known of it then. */
export function askObject(id: string, signal: AbortSignal): Promise<Answer<Raw>> {
  return askJson<Raw>(objectPath(id), { signal, terms: true });
}

/** Ask which objects refer to one, by `isPartOf` and `refers`-like relations of a term. */
export function askReferring(
  id: string,
  term: string,
  signal: AbortSignal,
): Promise<Answer<Raw[]>> {
  const address = `/ngsi-ld/v1/entities${query({ q: `${term}=="${id}"`, pick: "id,type,name", limit: 50 })}`;
  return askJson<Raw[]>(address, { signal, terms: true });
}

/** Give the path of an object in the API. */
export function objectPath(id: string): string {
  return `/ngsi-ld/v1/entities/${encodeURIComponent(id)}`;
}

/** Read what an object says of itself; geometries and relations are not among it. */
export function statementsOf(raw: Raw): Statement[] {
  return instancesOf(raw).flatMap(([term, one]) => {
    const kind = text(one["type"]) ?? "Property";
    if (kind === "GeoProperty" || kind.endsWith("Relationship")) return [];
    const names =
      kind === "LanguageProperty" ? ((one["languageMap"] ?? null) as Names | null) : null;
    return [
      {
        term,
        kind,
        names,
        value: names ?? one["value"] ?? one["json"] ?? one["vocab"] ?? one["valueList"] ?? null,
        unit: text(one["unitCode"]),
        observedAt: text(one["observedAt"]),
        dataset: text(one["datasetId"]),
        source: text(sub(one["source"])),
        simulated: sub(one["simulated"]) === true,
        replayed: sub(one["replayed"]) === true,
      },
    ];
  });
}

/** Read the relations of an object. */
export function relationsOf(raw: Raw): Relation[] {
  return instancesOf(raw).flatMap(([term, one]) => {
    if (!String(one["type"]).endsWith("Relationship")) return [];
    const given = one["object"] ?? one["objectList"] ?? [];
    const ids = (Array.isArray(given) ? given : [given]).map((item) =>
      typeof item === "string" ? item : String((item as { object?: string }).object ?? ""),
    );
    return [{ term, ids: ids.filter((id) => id !== "") }];
  });
}

/** Read the shapes of an object, the default one first. */
export function shapesOf(raw: Raw): GeoJSON.Geometry[] {
  const found = instancesOf(raw).filter(([, one]) => one["type"] === "GeoProperty");
  found.sort(([, a], [, b]) => Number("datasetId" in a) - Number("datasetId" in b));
  return found.map(([, one]) => one["value"] as GeoJSON.Geometry);
}

/** The name of an object for people; its id's last part when it has none. */
export function nameOf(raw: Raw): Names {
  for (const term of ["name", "title", "alternateName"]) {
    for (const statement of statementsOf({ id: raw.id, [term]: raw[term] } as Raw)) {
      if (statement.names !== null) return statement.names;
      if (typeof statement.value === "string") return { en: statement.value };
    }
  }
  return { en: shortId(raw.id) };
}

/** The part of an id that people would say. */
export function shortId(id: string): string {
  return id.split(/[:/#]/).filter(Boolean).pop() ?? id;
}

/** The type that an id of the platform names. */
export function typeOfId(id: string): string | null {
  return /^urn:ngsi-ld:([A-Za-z0-9_]+):/.exec(id)?.[1] ?? null;
}

/** Types of an object. */
export function typesOf(raw: Raw): string[] {
  const given = raw["type"];
  return (Array.isArray(given) ? given : [given]).map(String);
}

/** Write the call that gives an object, in the ways that people copy it. */
export function callsOf(id: string, origin: string): { url: string; curl: string; python: string } {
  const url = `${origin}${objectPath(id)}`;
  const link = `<${CONTEXT}>; rel="http://www.w3.org/ns/json-ld#context"`;
  return {
    url,
    curl: `curl -s -H 'Link: ${link}' '${url}'`,
    python: [
      "import conurb",
      "",
      `with conurb.connect("${origin}") as region:`,
      `    found = region.get("${id}")`,
      "    print(found)",
    ].join("\n"),
  };
}

function instancesOf(raw: Raw): [string, Readonly<Record<string, unknown>>][] {
  return Object.entries(raw)
    .filter(([term]) => !HEAD.has(term))
    .flatMap(([term, given]) =>
      (Array.isArray(given) ? given : [given])
        .filter((one) => typeof one === "object" && one !== null)
        .map((one): [string, Readonly<Record<string, unknown>>] => [
          term,
          one as Readonly<Record<string, unknown>>,
        ]),
    );
}

function sub(given: unknown): unknown {
  return (given as { value?: unknown } | undefined)?.value ?? given;
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
