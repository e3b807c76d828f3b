// From the page's state to the query of its address and back. Only what differs from the default is
// written; what can't be read is left out and named, never an error; old names go on working.

import {
  BASES,
  CHARTS,
  CLASSES_MAX,
  CLASSES_MIN,
  DEFAULTS,
  DESKS,
  LANGUAGES,
  LAYERS_MAX,
  OPACITY_MAX,
  PANELS,
  SCHEMES,
  SELECTED_MAX,
  STEPS,
  THEMES,
  type Other,
  type PageState,
  type Reference,
  type Shown,
  type View,
} from "./model";
import { isTime } from "../time/calendar";

/** Other names that a parameter has had or may be guessed by; a name is never given a new sense. */
export const ALIASES: Readonly<Record<string, string>> = {
  l: "layers",
  layer: "layers",
  t: "time",
  year: "time",
  datetime: "time",
  at: "view",
  language: "lang",
  hl: "lang",
  id: "select",
  selected: "select",
  object: "select",
  i: "indicator",
};

/** What was read: the state, and the parameters that said nothing that this page understands. */
export interface Decoded {
  readonly state: PageState;
  readonly ignored: readonly string[];
}

type Reader = (text: string) => Partial<PageState> | null;

const READERS: Readonly<Record<string, Reader>> = {
  view: (text) => wrap("view", readView(text)),
  layers: (text) => wrap("layers", readLayers(text)),
  indicator: (text) => wrap("indicator", text || null),
  per: (text) => wrap("per", oneOf(BASES, text)),
  scheme: (text) => wrap("scheme", oneOf(SCHEMES, text)),
  classes: (text) => wrap("classes", whole(text, CLASSES_MIN, CLASSES_MAX)),
  steady: (text) => ({ steady: text === "1" || text === "true" }),
  reference: (text) => wrap("reference", readReference(text)),
  time: (text) => wrap("time", isTime(text) ? text : null),
  step: (text) => wrap("step", oneOf(STEPS, text)),
  select: (text) => ({ selected: readList(text).slice(0, SELECTED_MAX) }),
  panel: (text) => wrap("panel", oneOf(PANELS, text)),
  attribute: (text) => wrap("attribute", text || null),
  chart: (text) => wrap("chart", oneOf(CHARTS, text)),
  against: (text) => wrap("against", text || null),
  compare: (text) => wrap("other", readOther(text)),
  split: (text) => wrap("split", whole(text, 0, 100)),
  filter: (text) => ({ filter: text }),
  sort: (text) => wrap("sort", text || null),
  desk: (text) => wrap("desk", oneOf(DESKS, text)),
  lang: (text) => wrap("lang", oneOf(LANGUAGES, text.toLowerCase().slice(0, 2))),
  theme: (text) => wrap("theme", oneOf(THEMES, text)),
  embed: (text) => ({ embed: text === "1" || text === "true" }),
};

/** Read the query of an address, with or without its question mark. */
export function decode(query: string): Decoded {
  let state: PageState = DEFAULTS;
  const ignored: string[] = [];
  for (const [given, text] of new URLSearchParams(query)) {
    const reader = READERS[ALIASES[given] ?? given];
    const read = reader?.(text) ?? null;
    if (read === null) ignored.push(given);
    else state = { ...state, ...read };
  }
  return { state, ignored };
}

/** Write the query of an address, without a question mark; empty for the page as it opens. */
export function encode(state: PageState): string {
  const parts: string[] = [];
  const add = (name: string, text: string | null): void => {
    if (text !== null) parts.push(`${name}=${escaped(text)}`);
  };
  const changed = <K extends keyof PageState>(key: K): PageState[K] | null =>
    state[key] === DEFAULTS[key] ? null : state[key];
  add("layers", state.layers === null ? null : state.layers.map(writeShown).join(","));
  add("indicator", changed("indicator"));
  add("per", state.per);
  add("scheme", changed("scheme"));
  add("classes", text(changed("classes")));
  add("steady", state.steady ? "1" : null);
  add("reference", text(state.reference));
  add("time", state.time);
  add("step", state.step);
  add("select", state.selected.length === 0 ? null : state.selected.map(writeItem).join(","));
  add("panel", state.panel);
  add("attribute", state.attribute);
  add("chart", changed("chart"));
  add("against", state.against);
  add("compare", state.other === null ? null : writeOther(state.other));
  add("split", text(changed("split")));
  add("filter", changed("filter") || null);
  add("sort", state.sort);
  add("desk", changed("desk"));
  add("view", state.view === null ? null : writeView(state.view));
  add("lang", state.lang);
  add("theme", state.theme);
  add("embed", state.embed ? "1" : null);
  return parts.join("&");
}

function wrap<K extends keyof PageState>(
  key: K,
  value: PageState[K] | null,
): Partial<PageState> | null {
  return value === null ? null : ({ [key]: value } as Partial<PageState>);
}

function text(value: number | string | null): string | null {
  return value === null ? null : String(value);
}

/** Escape what a query must, and leave what people can read: colons, commas, slashes, @. */
function escaped(value: string): string {
  return encodeURIComponent(value)
    .replace(/%3A/g, ":")
    .replace(/%2C/g, ",")
    .replace(/%40/g, "@")
    .replace(/%2F/g, "/")
    .replace(/%20/g, "+");
}

/** A comma inside of an item is escaped twice, so that a list can be cut at its commas. */
function writeItem(value: string): string {
  return value.replace(/%/g, "%25").replace(/,/g, "%2C");
}

function readList(value: string): string[] {
  return value
    .split(",")
    .map((item) => item.replace(/%2C/g, ",").replace(/%25/g, "%"))
    .filter((item, at, all) => item !== "" && all.indexOf(item) === at);
}

function writeView({ lon, lat, zoom }: View): string {
  return [lon.toFixed(4), lat.toFixed(4), zoom.toFixed(2)]
    .map((one) => String(Number(one)))
    .join(",");
}

function readView(value: string): View | null {
  const [lon, lat, zoom, ...more] = value.split(",").map(Number);
  if (lon === undefined || lat === undefined || zoom === undefined || more.length) return null;
  const inside = Math.abs(lon) <= 180 && Math.abs(lat) <= 85 && zoom >= 0 && zoom <= 24;
  return inside ? { lon, lat, zoom } : null;
}

/** `id`, then `:opacity` when it isn't full, then `@time` when it is pinned. */
function writeShown({ id, opacity, pinned }: Shown): string {
  const dimmed = opacity === OPACITY_MAX ? "" : `:${opacity}`;
  return id + dimmed + (pinned === null ? "" : `@${pinned}`);
}

function readLayers(value: string): Shown[] | null {
  const shown: Shown[] = [];
  for (const part of value.split(",").slice(0, LAYERS_MAX)) {
    const match = /^([a-z0-9-]+)(?::(\d{1,3}))?(?:@(.+))?$/.exec(part);
    if (match === null) {
      if (part === "") continue;
      return null;
    }
    const [, id = "", opacity, pinned] = match;
    if (shown.some((one) => one.id === id)) continue;
    shown.push({
      id,
      opacity: Math.min(OPACITY_MAX, opacity === undefined ? OPACITY_MAX : Number(opacity)),
      pinned: pinned !== undefined && isTime(pinned) ? pinned : null,
    });
  }
  return shown;
}

function readReference(value: string): Reference | null {
  if (value === "mean" || value === "median" || value === "selected") return value;
  const number = Number(value);
  return value.trim() !== "" && Number.isFinite(number) ? number : null;
}

function writeOther(other: Other): string {
  return other.kind === "time" ? `time:${other.time}` : `layer:${other.layer}`;
}

function readOther(value: string): Other | null {
  const [kind, ...rest] = value.split(":");
  const said = rest.join(":");
  if (kind === "time" && isTime(said)) return { kind, time: said };
  if (kind === "layer" && said !== "") return { kind, layer: said };
  return null;
}

function oneOf<T extends string>(allowed: readonly T[], value: string): T | null {
  return allowed.find((one) => one === value) ?? null;
}

function whole(value: string, least: number, most: number): number | null {
  const number = Number(value);
  return Number.isInteger(number) && number >= least && number <= most ? number : null;
}
