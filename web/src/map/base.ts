// What lies beneath everything: sea, land, lakes and rivers out of one small file of our own. Labels are
// drawn with the fonts of the machine, so no server of glyphs, tiles or images is needed.

import type { StyleSpecification } from "maplibre-gl";

import type { Language, Theme } from "../state/model";
import baseUrl from "./base/base.json?url";

/** Families as CSS has them; MapLibre draws each text locally with the first that there is. */
export const FONT = ["system-ui, PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif"];
export const FONT_BOLD = [
  "system-ui, PingFang SC, Microsoft YaHei, Noto Sans CJK SC Bold, sans-serif",
];

export interface Ink {
  readonly land: string;
  readonly sea: string;
  readonly river: string;
  readonly water: string;
  readonly waterLabel: string;
  readonly label: string;
  readonly halo: string;
  readonly border: string;
  readonly hover: string;
  readonly selected: string;
}

export const INKS: Readonly<Record<Theme, Ink>> = {
  light: {
    land: "#f3f1ea",
    sea: "#cbdde4",
    river: "#9fc0cc",
    water: "#c3d9e1",
    waterLabel: "#3f6b7c",
    label: "#14252e",
    halo: "rgba(255,255,255,0.88)",
    border: "rgba(255,255,255,0.9)",
    hover: "#14252e",
    selected: "#e8590c",
  },
  dark: {
    land: "#1d262d",
    sea: "#10171c",
    river: "#2b4a58",
    water: "#16242c",
    waterLabel: "#7ea6b5",
    label: "#f2f6f7",
    halo: "rgba(12,19,24,0.85)",
    border: "rgba(13,20,25,0.85)",
    hover: "#ffffff",
    selected: "#ffab73",
  },
};

/** The first layer of labels: what is drawn as line or dot goes beneath it. */
export const LABELS_FROM = "water-names";
/**
 * Areas and their edges go beneath the water, which shows through them where they cover it: each
 * change between sources from one layer to the next has the tiles' masks drawn anew, twice.
 */
export const WATER_FROM = "rivers";

/** The source and the layer of the areas that are marked. */
export const MARKS = "marks";
/**
 * Pixels around a tile that are cut out of objects with it: half of the widest line. MapLibre's own
 * 128 draw most of a border twice.
 */
export const BUFFER_PX = 16;

/** Write the style beneath the layers. */
export function baseStyle(theme: Theme, lang: Language): StyleSpecification {
  const ink = INKS[theme];
  return {
    version: 8,
    sources: {
      base: {
        type: "geojson",
        data: new URL(baseUrl, location.href).href,
        buffer: BUFFER_PX,
      },
      [MARKS]: { type: "geojson", data: { type: "FeatureCollection", features: [] } },
    },
    layers: [
      { id: "sea", type: "background", paint: { "background-color": ink.sea } },
      {
        id: "land",
        type: "fill",
        source: "base",
        filter: ["==", ["get", "kind"], "land"],
        paint: { "fill-color": ink.land, "fill-antialias": false },
      },
      {
        id: "rivers",
        type: "line",
        source: "base",
        filter: ["==", ["get", "kind"], "river"],
        layout: { "line-cap": "round", "line-join": "round" },
        paint: {
          "line-color": ink.river,
          "line-opacity": 0.75,
          "line-width": [
            "interpolate",
            ["linear"],
            ["zoom"],
            4,
            ["max", 0.3, ["-", 1.4, ["*", 0.15, ["get", "rank"]]]],
            10,
            ["max", 0.8, ["-", 5, ["*", 0.45, ["get", "rank"]]]],
          ],
        },
      },
      {
        id: "lakes",
        type: "fill",
        source: "base",
        filter: ["==", ["get", "kind"], "lake"],
        paint: { "fill-color": ink.water, "fill-opacity": 0.62 },
      },
      // A hidden layer costs nothing; the source is empty most of the time.
      {
        id: MARKS,
        type: "line",
        source: MARKS,
        layout: { "line-join": "round", visibility: "none" },
        paint: {
          "line-color": ["case", ["get", "hover"], ink.hover, ink.selected],
          "line-width": ["case", ["get", "hover"], 2, 3.2],
        },
      },
      {
        id: LABELS_FROM,
        type: "symbol",
        source: "base",
        minzoom: 5.6,
        filter: ["all", ["==", ["get", "kind"], "lake"], ["has", lang]],
        layout: {
          "text-field": ["get", lang],
          "text-font": FONT,
          "text-size": 11,
          "text-padding": 6,
        },
        paint: {
          "text-color": ink.waterLabel,
          "text-halo-color": ink.halo,
          "text-halo-width": 1.2,
        },
      },
      {
        id: "river-names",
        type: "symbol",
        source: "base",
        minzoom: 6.2,
        filter: ["all", ["==", ["get", "kind"], "river"], ["has", lang]],
        layout: {
          "symbol-placement": "line",
          "text-field": ["get", lang],
          "text-font": FONT,
          "text-size": 11,
          "text-letter-spacing": 0.12,
          "symbol-spacing": 420,
        },
        paint: {
          "text-color": ink.waterLabel,
          "text-halo-color": ink.halo,
          "text-halo-width": 1.2,
        },
      },
    ],
  };
}
