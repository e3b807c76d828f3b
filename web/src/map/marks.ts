// What is marked on the map: the objects that are chosen, and the one under the pointer. Areas that
// came whole are outlined by a source that holds the marked ones alone, so that no frame draws the
// outlines of all others for nothing; whatever else is marked takes its mark from its own layer.

import type { FeatureIdentifier, GeoJSONSource, Map as MapLibre } from "maplibre-gl";

import type { Feature } from "../api/features";
import { MARKS } from "./base";
import { collection, isArea, sourceId, type Scene } from "./styling";

/** Where an object is drawn. */
interface Found {
  readonly targets: readonly FeatureIdentifier[];
  /** The object itself, when it is an area that came whole. */
  readonly area: Feature | null;
}

type State = "selected" | "hover";

const NOWHERE: Found = { targets: [], area: null };

export class Marks {
  readonly #map: MapLibre;
  #scene: Scene = { layers: [], selected: [] };
  #chosen: readonly Found[] = [];
  #hovered: Found = NOWHERE;
  #hoveredId: string | null = null;
  #outlined: readonly (Feature | null)[] = [];

  constructor(map: MapLibre) {
    this.#map = map;
  }

  /** Take up what a scene has chosen; what was before is let go. */
  choose(scene: Scene): void {
    this.#scene = scene;
    for (const one of this.#chosen) this.#set(one, "selected", false);
    this.#chosen = scene.selected.map((id) => this.#find(id));
    for (const one of this.#chosen) this.#set(one, "selected", true);
    this.#hovered = this.#hoveredId === null ? NOWHERE : this.#find(this.#hoveredId);
    this.#outline();
  }

  /** Mark an object as the one under the pointer; null for none. */
  hover(id: string | null): void {
    if (id === this.#hoveredId) return;
    this.#set(this.#hovered, "hover", false);
    this.#hoveredId = id;
    this.#hovered = id === null ? NOWHERE : this.#find(id);
    this.#set(this.#hovered, "hover", true);
    this.#outline();
  }

  /** Begin anew after sources were: they know of no marks. */
  forget(): void {
    this.#chosen = [];
    this.#outlined = [];
  }

  #set({ targets }: Found, state: State, on: boolean): void {
    for (const target of targets) {
      if (this.#map.getSource(target.source) === undefined) continue;
      this.#map.setFeatureState(target, { [state]: on });
    }
  }

  /** Find where an object is drawn: by those that came whole, else by its type. */
  #find(id: string): Found {
    for (const one of [...this.#scene.layers].reverse()) {
      const source = sourceId(one.layer);
      if (one.features !== null) {
        const feature = one.features.find((other) => other.id === id);
        if (feature === undefined) continue;
        return isArea(one.layer)
          ? { targets: [], area: feature }
          : { targets: [{ source, id }], area: null };
      }
      if (!id.includes(`:${one.layer.type}:`)) continue;
      const live = { source: sourceId(one.layer, "live"), id };
      return { targets: [{ source, sourceLayer: one.layer.collection, id }, live], area: null };
    }
    return NOWHERE;
  }

  /** Draw the outlines of the areas that are marked, when they are others than before. */
  #outline(): void {
    const chosen = this.#chosen.map((one) => one.area).filter((one) => one !== null);
    const hovered = chosen.some((one) => one.id === this.#hoveredId) ? null : this.#hovered.area;
    const outlined = [hovered, ...chosen];
    const before = this.#outlined;
    if (outlined.length === before.length && outlined.every((one, at) => one === before[at]))
      return;
    this.#outlined = outlined;
    const features = outlined.filter((one) => one !== null);
    this.#map
      .getSource<GeoJSONSource>(MARKS)
      ?.setData(
        collection(features.map((one) => ({ ...one, properties: { hover: one === hovered } }))),
      );
    this.#map.setLayoutProperty(MARKS, "visibility", features.length > 0 ? "visible" : "none");
  }
}
