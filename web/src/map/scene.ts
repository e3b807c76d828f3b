// From what the page knows to the scene that is drawn.

import { datetimeOf } from "../api/features";
import { query } from "../api/http";
import type { LayerInfo } from "../api/layers";
import { atlas, type Classed, type Placed, type Side } from "../state/atlas.svelte";
import { store } from "../state/store.svelte";
import type { Scene } from "./styling";

/** Put a scene together: bottom-most layer first, at a clock's time, coloured by some classes. */
export function sceneOf(
  placed: readonly Placed[],
  time: string | null,
  classed: Classed | null,
  side: Side = "left",
): Scene {
  // The layer that colours the region lies beneath all others, wherever it stands in the list.
  const ordered = [...placed].reverse().sort((one, other) => depth(one) - depth(other));
  const layers = ordered.map((one) => {
    const { layer, shown } = one;
    const whole = atlas.isWhole(layer);
    const features = atlas.featuresOf(layer, side);
    const coloured = layer === atlas.choropleth && whole;
    return {
      layer,
      opacity: shown.opacity,
      features: whole ? features : null,
      tiles: whole ? null : tilesOf(layer, shown.pinned ?? time),
      colours: coloured
        ? new Map(features.map(({ id }) => [id, atlas.colourOf(classed, id)]))
        : null,
      live: whole || side === "right" ? NOTHING : atlas.liveOf(layer),
    };
  });
  return { layers, selected: store.page.selected };
}

function depth({ layer }: Placed): number {
  return layer.form === "choropleth" ? 0 : 1;
}

const NOTHING: readonly never[] = [];

function tilesOf(layer: LayerInfo, time: string | null): string {
  const [path = "", parts = ""] = layer.tiles.split("?");
  const given = Object.fromEntries(new URLSearchParams(parts));
  const address = `${path}${query({ ...given, datetime: datetimeOf(time), lang: store.lang })}`;
  return new URL(address, location.href).href.replace(/%7B/g, "{").replace(/%7D/g, "}");
}
