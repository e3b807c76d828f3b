// Objects of a layer as GeoJSON features, page by page (OGC API Features), and where to download them.

import { instantOf } from "../time/calendar";
import { askJson, query, type Answer } from "./http";
import type { Box, LayerInfo } from "./layers";

export type Properties = Readonly<Record<string, unknown>>;

export interface Feature {
  readonly type: "Feature";
  readonly id: string;
  readonly geometry: GeoJSON.Geometry | null;
  readonly properties: Properties;
}

export interface Features {
  readonly features: readonly Feature[];
  readonly numberMatched?: number;
}

/** What is asked of a layer's objects. */
export interface Wanted {
  readonly time: string | null;
  readonly lang: string;
  readonly bbox?: Box | null;
  readonly properties?: readonly string[];
  /** Members of each property besides its value, as `unitCode`. */
  readonly members?: readonly string[];
  readonly limit?: number;
}

export const PAGE_MAX = 1000;
/** Layers with more objects than this are drawn from tiles, and listed page by page. */
export const WHOLE_MAX = 1000;

/** Write a clock's time as the node reads it: an instant. */
export function datetimeOf(time: string | null): string | null {
  return time === null ? null : new Date(instantOf(time)).toISOString();
}

/** Give the address of a layer's objects. */
export function itemsAddress(layer: LayerInfo, wanted: Wanted, format?: string): string {
  return (
    layer.items +
    query({
      f: format,
      limit: wanted.limit,
      bbox: wanted.bbox?.map((one) => one.toFixed(5)).join(","),
      datetime: datetimeOf(wanted.time),
      lang: wanted.lang,
      properties: wanted.properties?.join(","),
      with: wanted.members?.join(","),
      geometry: layer.geometry === "location" ? null : layer.geometry,
      q: layer.q,
    })
  );
}

/** Ask for objects of a layer, up to one page. */
export function askFeatures(
  layer: LayerInfo,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<Answer<Features>> {
  const address = itemsAddress(layer, { limit: PAGE_MAX, ...wanted });
  return askJson<Features>(address, { signal, accept: "application/geo+json" });
}

/** The terms that a layer's own rows need: its label, its attribute, and those worth showing. */
export function termsOf(layer: LayerInfo): string[] {
  const all = [layer.label, layer.attribute, ...layer.attributes];
  return [...new Set(all.filter((one): one is string => one !== null))];
}
