// What the page shows, as one value: everything that a link carries, and nothing that it doesn't.

export const LANGUAGES = ["en", "zh"] as const;
export type Language = (typeof LANGUAGES)[number];

export const THEMES = ["light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

export const PANELS = [
  "layers",
  "chart",
  "object",
  "table",
  "compare",
  "export",
  "health",
  "near",
  "share",
  "about",
  "duty",
] as const;
export type Panel = (typeof PANELS)[number];

export const SCHEMES = ["quantile", "jenks", "equal"] as const;
export type Scheme = (typeof SCHEMES)[number];

export const CHARTS = ["ranking", "series", "scatter"] as const;
export type ChartKind = (typeof CHARTS)[number];

export const BASES = ["person", "area"] as const;
/** What a figure is divided by. */
export type Basis = (typeof BASES)[number];

export const DESKS = ["events", "log", "issue"] as const;
/** Parts of the duty desk. */
export type Desk = (typeof DESKS)[number];

export const STEPS = ["year", "month", "day", "hour", "minute"] as const;
export type Step = (typeof STEPS)[number];

export const CLASSES_MIN = 2;
export const CLASSES_MAX = 9;
export const SELECTED_MAX = 6;
export const LAYERS_MAX = 40;
export const OPACITY_MAX = 100;

/** Where the map looks; zoom as MapLibre counts it. */
export interface View {
  readonly lon: number;
  readonly lat: number;
  readonly zoom: number;
}

/** One layer that is shown. `pinned` is a time of its own, instead of the clock's. */
export interface Shown {
  readonly id: string;
  readonly opacity: number;
  readonly pinned: string | null;
}

/** The second side of a swipe: another time, or another layer. */
export type Other =
  | { readonly kind: "time"; readonly time: string }
  | { readonly kind: "layer"; readonly layer: string };

/** What a diverging scale turns at. */
export type Reference = "mean" | "median" | "selected" | number;

export interface PageState {
  readonly view: View | null;
  /** Top-most first; null is what the node says is visible. */
  readonly layers: readonly Shown[] | null;
  /** Key of the figure that colours: a term, or a term, `@` and its source. */
  readonly indicator: string | null;
  readonly per: Basis | null;
  readonly scheme: Scheme;
  readonly classes: number;
  /** Whether classes are those of all years together. */
  readonly steady: boolean;
  readonly reference: Reference | null;
  /** A time as written (`2015`, `2015-06`, an instant); null is now, and follows. */
  readonly time: string | null;
  readonly step: Step | null;
  /** Ids of objects; the first is the one whose page is open. */
  readonly selected: readonly string[];
  readonly panel: Panel | null;
  readonly attribute: string | null;
  readonly chart: ChartKind;
  readonly against: string | null;
  readonly other: Other | null;
  readonly split: number;
  readonly filter: string;
  readonly sort: string | null;
  readonly desk: Desk;
  readonly lang: Language | null;
  readonly theme: Theme | null;
  readonly embed: boolean;
}

export const DEFAULTS: PageState = {
  view: null,
  layers: null,
  indicator: null,
  per: null,
  scheme: "quantile",
  classes: 5,
  steady: false,
  reference: null,
  time: null,
  step: null,
  selected: [],
  panel: null,
  attribute: null,
  chart: "ranking",
  against: null,
  other: null,
  split: 50,
  filter: "",
  sort: null,
  desk: "events",
  lang: null,
  theme: null,
  embed: false,
};
