// The map as other parts of the page use it: look somewhere, point at something, take a picture.

import type { PaddingOptions } from "maplibre-gl";
import { SvelteSet } from "svelte/reactivity";

import type { Box, LayerInfo } from "../api/layers";
import { atlas } from "../state/atlas.svelte";
import type { View } from "../state/model";
import { store } from "../state/store.svelte";
import type { Engine, Picked } from "./engine";
import { boxOf } from "./shapes";

class MapControl {
  engine = $state.raw<Engine | null>(null);
  /** Layers whose tiles or objects could not be drawn. */
  readonly failed = new SvelteSet<string>();
  /** Layers whose tiles are on their way. */
  readonly drawing = new SvelteSet<string>();
  hovered = $state.raw<Picked | null>(null);
  /** What is in view; null until the map is there. */
  box = $state.raw<Box | null>(null);
  /** What panels cover, in pixels. */
  padding = $state.raw<PaddingOptions>({ top: 20, right: 20, bottom: 20, left: 20 });
  /** Whether the map can be drawn at all. */
  broken = $state(false);

  get calm(): boolean {
    return matchMedia("(prefers-reduced-motion: reduce)").matches;
  }

  /** Whether the map is where somebody has brought it, so that a link has to say where. */
  brought = false;

  fit(box: Box): void {
    this.brought = true;
    this.engine?.fit(box, this.padding, !this.calm);
  }

  zoom(by: number): void {
    this.brought = true;
    this.engine?.zoom(by, !this.calm);
  }

  goTo(view: View): void {
    this.brought = true;
    if (this.engine === null) store.change({ view });
    else this.engine.goTo(view, !this.calm);
  }

  /** Show the whole region. */
  home(): void {
    const box = atlas.catalogue.data?.region.bbox;
    if (box !== undefined) this.fit(box);
    this.brought = false;
    store.change({ view: null });
  }

  zoomTo(layer: LayerInfo): void {
    const features = atlas.objects.get(layer.id)?.data?.features ?? [];
    const box =
      boxOf(features.map((one) => one.geometry)) ?? layer.bbox ?? atlas.catalogue.data?.region.bbox;
    if (box !== undefined) this.fit(box);
  }

  zoomToShape(geometry: GeoJSON.Geometry): void {
    const box = boxOf([geometry]);
    if (box !== null) this.fit(box);
  }

  /** Mark an object as the one under the pointer. */
  point(id: string | null): void {
    this.engine?.point(id);
  }

  /** Ask for a layer's tiles again. */
  refresh(id: string): void {
    this.engine?.refresh(id);
  }
}

export const mapControl = new MapControl();
