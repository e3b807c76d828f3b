// What a node says can be looked at: its region and its layers (`/map/layers`).

import type { Names } from "../i18n/say";
import { askJson, type Answer } from "./http";

export type Form = "fill" | "line" | "circle" | "choropleth";
export type Provenance = "measured" | "modelled" | "replayed" | "simulated";
export type Box = readonly [number, number, number, number];

export interface ClassInfo {
  readonly value: string | number;
  readonly colour: string;
  readonly label: Names;
}

/** A figure of every object of a layer, by year. `attribute` is its key: a term, or term@source. */
export interface Indicator {
  readonly attribute: string;
  readonly label: Names;
  readonly unit: string | null;
  readonly years: readonly number[];
  readonly note: string | null;
  readonly source: string;
  readonly licence: string;
}

export interface LayerInfo {
  readonly id: string;
  readonly type: string;
  readonly title: Names;
  readonly group: Names;
  readonly form: Form;
  readonly source: string;
  readonly licence: string;
  readonly geometry: string;
  readonly attribute: string | null;
  readonly attributes: readonly string[];
  readonly label: string | null;
  readonly q: string | null;
  readonly classes: readonly ClassInfo[];
  readonly categorical: boolean;
  readonly colour: string;
  readonly provenance: Provenance | null;
  readonly freshS: number | null;
  readonly visible: boolean;
  readonly order: number;
  readonly aliases: readonly string[];
  readonly indicators?: readonly Indicator[];
  readonly collection: string;
  readonly items: string;
  readonly tiles: string;
  readonly bbox: Box | null;
  readonly time: readonly [string | null, string | null] | null;
  readonly count: number | null;
}

export interface RegionInfo {
  readonly id?: string;
  readonly nodeId?: string;
  readonly title?: Names;
  readonly bbox?: Box;
}

export interface Catalogue {
  readonly region: RegionInfo;
  readonly layers: readonly LayerInfo[];
}

/** Ask what there is to look at. */
export function askLayers(signal: AbortSignal): Promise<Answer<Catalogue>> {
  return askJson<Catalogue>("/map/layers", { signal });
}

/** Find a layer by its id, or by a name that it had. */
export function findLayer(layers: readonly LayerInfo[], id: string): LayerInfo | null {
  return (
    layers.find((one) => one.id === id) ?? layers.find((one) => one.aliases.includes(id)) ?? null
  );
}

/** The source that a key names: `co2@edgar-v8:prefecture` comes from `edgar-v8`. */
export function sourceOf(key: string): string | null {
  const [, dataset] = key.split("@");
  return dataset?.split(":")[0] ?? null;
}

/** The term of a key, without its source. */
export function termOf(key: string): string {
  return key.split("@")[0] ?? key;
}
