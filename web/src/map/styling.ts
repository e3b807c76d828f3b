// From what a node says of a layer to what MapLibre draws. Pure: no map is touched here.

import type { ExpressionSpecification, LayerSpecification, SourceSpecification } from "maplibre-gl";

import type { Feature } from "../api/features";
import type { LayerInfo } from "../api/layers";
import type { Theme } from "../state/model";
import { BUFFER_PX, FONT, FONT_BOLD, type Ink } from "./base";
import { NO_FIGURE } from "./palettes";
import { labelPoint } from "./shapes";

/** One layer as it is to be drawn. */
export interface SceneLayer {
  readonly layer: LayerInfo;
  readonly opacity: number;
  /** Objects that came whole; null for a layer of tiles. */
  readonly features: readonly Feature[] | null;
  /** Address of the tiles; null for objects that came whole. */
  readonly tiles: string | null;
  /** Colour by id, of a choropleth. */
  readonly colours: ReadonlyMap<string, string> | null;
  /** Objects that have changed since: they stand for those of the tiles. */
  readonly live: readonly Feature[];
}

/** Everything that the map shows besides its base; the first is drawn first. */
export interface Scene {
  readonly layers: readonly SceneLayer[];
  readonly selected: readonly string[];
}

export const PREFIX = "layer:";
const COUNTED = "point_count";
/** Dots that stand for so many have the number beside them; of the others the pointer tells it. */
const NUMBERED_MIN = 100;

/** Name of the source of a layer; `part` is `labels` or `live`. */
export function sourceId(layer: LayerInfo, part = ""): string {
  return `${PREFIX}${layer.id}${part === "" ? "" : `:${part}`}`;
}

/** Sources that a layer needs, by their names. */
export function sourcesOf(
  one: SceneLayer,
  region: readonly number[] | undefined,
): Record<string, SourceSpecification> {
  const { layer } = one;
  const promoteId = "id";
  const sources: Record<string, SourceSpecification> = {};
  if (one.features !== null) {
    const data = collection(one.features);
    sources[sourceId(layer)] = { type: "geojson", data, promoteId, buffer: BUFFER_PX };
    if (isArea(layer) && layer.label !== null) {
      sources[sourceId(layer, "labels")] = { type: "geojson", data: labels(one) };
    }
  } else if (one.tiles !== null) {
    const bounds = layer.bbox ?? region;
    sources[sourceId(layer)] = {
      type: "vector",
      tiles: [one.tiles],
      promoteId,
      maxzoom: 16,
      ...(bounds === undefined ? {} : { bounds: [...bounds] as [number, number, number, number] }),
    };
    const data = collection(one.live);
    sources[sourceId(layer, "live")] = { type: "geojson", data, promoteId, buffer: BUFFER_PX };
  }
  return sources;
}

/** Write features as MapLibre takes them: the id among the properties. */
export function collection(features: readonly Feature[]): GeoJSON.FeatureCollection {
  return {
    type: "FeatureCollection",
    features: features.flatMap(({ id, geometry, properties }) =>
      geometry === null
        ? []
        : [{ type: "Feature", id, geometry, properties: { ...properties, id } }],
    ),
  };
}

/** Write where the names of areas stand. */
export function labels({ layer, features }: SceneLayer): GeoJSON.FeatureCollection {
  const label = layer.label ?? "";
  return {
    type: "FeatureCollection",
    features: (features ?? []).flatMap(({ id, geometry, properties }) => {
      const coordinates = geometry === null ? null : labelPoint(geometry);
      if (coordinates === null || typeof properties[label] !== "string") return [];
      const point: GeoJSON.Point = { type: "Point", coordinates };
      return [{ type: "Feature", geometry: point, properties: { id, name: properties[label] } }];
    }),
  };
}

export function isArea(layer: LayerInfo): boolean {
  return layer.form === "fill" || layer.form === "choropleth";
}

/** Layers of the style for one layer, those of areas and dots first, then its labels. */
export function drawn(one: SceneLayer, theme: Theme, ink: Ink): LayerSpecification[] {
  const { layer } = one;
  const from = (part = ""): { source: string; "source-layer"?: string } =>
    one.tiles !== null && part === ""
      ? { source: sourceId(layer), "source-layer": layer.collection }
      : { source: sourceId(layer, part) };
  const parts = one.tiles === null ? [""] : ["", "live"];
  const shapes = parts.flatMap((part) => {
    const id = sourceId(layer, part);
    if (isArea(layer)) return areas(id, from(part), one, theme, ink);
    if (layer.form === "line") return [lines(id, from(part), one, theme, ink)];
    return dots(id, from(part), one, theme, ink);
  });
  return [...shapes, ...named(one, ink, from)];
}

type From = { source: string; "source-layer"?: string };

function areas(
  id: string,
  from: From,
  one: SceneLayer,
  theme: Theme,
  ink: Ink,
): LayerSpecification[] {
  const opacity = one.opacity / 100;
  const whole = one.features !== null;
  const fill: ExpressionSpecification | string =
    one.layer.form === "choropleth"
      ? ["to-color", ["coalesce", ["feature-state", "colour"], NO_FIGURE[theme]]]
      : colour(one.layer, theme);
  return [
    {
      id,
      type: "fill",
      ...from,
      paint: {
        "fill-color": fill,
        // The edge is drawn over it as a line of its own.
        "fill-antialias": false,
        "fill-opacity": unmoved(one, one.layer.form === "choropleth" ? opacity : opacity * 0.55),
      },
    },
    {
      id: `${id}:edge`,
      type: "line",
      ...from,
      paint: {
        "line-color": one.layer.form === "choropleth" ? ink.border : colour(one.layer, theme),
        "line-width": 0.9,
        "line-opacity": unmoved(one, opacity),
      },
    },
    // What is marked is drawn again on top, so that no neighbour's edge runs over it.
    ...(whole ? [] : [outline(id, from, ink)]),
  ];
}

/** Outlines of the areas of tiles that are marked; those of areas that came whole are MARKS. */
function outline(id: string, from: From, ink: Ink): LayerSpecification {
  return {
    id: `${id}:mark`,
    type: "line",
    ...from,
    layout: { "line-join": "round" },
    paint: {
      "line-color": marked(ink.selected, ink.hover, ink.border),
      "line-width": marked(3.2, 2, 0),
      "line-opacity": marked(1, 1, 0),
    },
  };
}

function lines(
  id: string,
  from: From,
  one: SceneLayer,
  theme: Theme,
  ink: Ink,
): LayerSpecification {
  return {
    id,
    type: "line",
    ...from,
    layout: { "line-cap": "round", "line-join": "round" },
    paint: {
      "line-color": marked(ink.selected, ink.hover, colour(one.layer, theme)),
      "line-width": [
        "interpolate",
        ["linear"],
        ["zoom"],
        6,
        marked(3.5, 2.5, 1.4),
        12,
        marked(7, 5, 3.5),
      ],
      "line-opacity": unmoved(one, one.opacity / 100),
    },
  };
}

function dots(
  id: string,
  from: From,
  one: SceneLayer,
  theme: Theme,
  ink: Ink,
): LayerSpecification[] {
  const opacity = Number((one.opacity / 100).toFixed(3));
  const tiled = "source-layer" in from;
  const several: ExpressionSpecification = ["has", COUNTED];
  // A dot that stands for many is hardly wider than that of one: it shares its tile with a thousand
  // others, 16 pixels apart, and the map has to be seen between them.
  const wider: ExpressionSpecification = ["*", 0.4, ["ln", ["get", COUNTED]]];
  const radius = (alone: number, grown: number): ExpressionSpecification => {
    const single = marked(grown + 2, grown, alone);
    return tiled ? unmoved(one, ["case", several, ["+", alone, wider], single]) : single;
  };
  // Dots of crowds stand apart by themselves; a whole halo around each would double what is painted.
  const halo: ExpressionSpecification = tiled
    ? ["case", several, marked(3, 2, 0.5), marked(3, 2, 1)]
    : marked(3, 2, 1);
  const dot: LayerSpecification[] = [
    {
      id,
      type: "circle",
      ...from,
      paint: {
        "circle-color": colour(one.layer, theme),
        "circle-radius": ["interpolate", ["linear"], ["zoom"], 5, radius(3, 5), 12, radius(6, 9)],
        "circle-stroke-color": marked(ink.selected, ink.hover, ink.halo),
        "circle-stroke-width": unmoved(one, halo),
        "circle-opacity": opacity,
        "circle-stroke-opacity": opacity,
      },
    },
  ];
  if (!tiled) return dot;
  return [
    ...dot,
    {
      id: `${id}:count`,
      type: "symbol",
      ...from,
      filter: ["all", several, [">=", ["get", COUNTED], NUMBERED_MIN]],
      minzoom: 8,
      layout: {
        "text-field": ["to-string", ["get", COUNTED]],
        "text-font": FONT_BOLD,
        "text-size": 10,
      },
      paint: { "text-color": ink.label, "text-halo-color": ink.halo, "text-halo-width": 1.2 },
    },
  ];
}

function named(one: SceneLayer, ink: Ink, from: (part?: string) => From): LayerSpecification[] {
  const { layer } = one;
  if (layer.label === null) return [];
  const paint = {
    "text-color": ink.label,
    "text-halo-color": ink.halo,
    "text-halo-width": 1.4,
    "text-opacity": one.opacity === 0 ? 0 : 1,
  };
  if (isArea(layer) && one.features !== null) {
    return [
      {
        id: sourceId(layer, "names"),
        type: "symbol",
        source: sourceId(layer, "labels"),
        layout: {
          "text-field": ["get", "name"],
          "text-font": FONT_BOLD,
          "text-size": ["interpolate", ["linear"], ["zoom"], 5, 10.5, 9, 15],
          "text-padding": 3,
          "text-max-width": 7,
        },
        paint,
      },
    ];
  }
  if (layer.form !== "circle") return [];
  return [
    {
      id: sourceId(layer, "names"),
      type: "symbol",
      ...from(),
      minzoom: 10,
      filter: ["!", ["has", COUNTED]],
      layout: {
        "text-field": ["to-string", ["coalesce", ["get", layer.label], ""]],
        "text-font": FONT,
        "text-size": 11,
        "text-anchor": "top",
        "text-offset": [0, 0.8],
        "text-optional": true,
      },
      paint,
    },
  ];
}

/** The colour of an object by its class, as the layer says. */
export function colour(layer: LayerInfo, theme: Theme): ExpressionSpecification | string {
  const { attribute, classes } = layer;
  if (attribute === null || classes.length === 0) return layer.colour;
  const value: ExpressionSpecification = ["get", attribute];
  if (layer.categorical) {
    const pairs = classes.flatMap((one) => [String(one.value), one.colour]);
    return [
      "match",
      ["to-string", value],
      ...pairs,
      layer.colour,
    ] as unknown as ExpressionSpecification;
  }
  const steps = classes.flatMap((one) => [Number(one.value), one.colour]);
  return [
    "case",
    ["==", ["typeof", value], "number"],
    ["step", value, layer.colour, ...steps],
    NO_FIGURE[theme],
  ] as unknown as ExpressionSpecification;
}

function marked<T extends string | number | ExpressionSpecification>(
  selected: T,
  hovered: T,
  otherwise: T | ExpressionSpecification,
): ExpressionSpecification {
  return [
    "case",
    ["boolean", ["feature-state", "selected"], false],
    selected,
    ["boolean", ["feature-state", "hover"], false],
    hovered,
    otherwise,
  ] as unknown as ExpressionSpecification;
}

/** What has moved since the tile was made is drawn from the live source instead. */
function unmoved<T extends number | ExpressionSpecification>(
  one: SceneLayer,
  value: T,
): T | ExpressionSpecification {
  if (one.tiles === null) return value;
  return [
    "case",
    ["boolean", ["feature-state", "moved"], false],
    0,
    value,
  ] as unknown as ExpressionSpecification;
}
