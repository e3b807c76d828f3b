// The one place that touches MapLibre: it draws scenes, tells what is under the pointer, and moves.

import {
  Map as MapLibre,
  setWorkerUrl,
  type GeoJSONSource,
  type LngLatBoundsLike,
  type MapMouseEvent,
  type PaddingOptions,
  type VectorTileSource,
} from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";

import { headersOf } from "../api/http";
import type { Box } from "../api/layers";
import type { Language, Theme, View } from "../state/model";
import { baseStyle, INKS, LABELS_FROM, WATER_FROM } from "./base";
import { Marks } from "./marks";
import {
  collection,
  drawn,
  isArea,
  labels,
  PREFIX,
  sourceId,
  sourcesOf,
  type Scene,
  type SceneLayer,
} from "./styling";

setWorkerUrl(new URL(workerUrl, location.href).href);

const PICK_PX = 4;
const ZOOM_MAX = 17;

/** An object under the pointer. */
export interface Picked {
  readonly id: string | null;
  readonly layer: string;
  readonly count: number;
  readonly name: string | null;
  readonly x: number;
  readonly y: number;
  readonly lngLat: readonly [number, number];
}

export interface EngineOptions {
  readonly container: HTMLElement;
  readonly theme: Theme;
  readonly lang: Language;
  readonly view: View | null;
  readonly bounds: Box | null;
  readonly padding: PaddingOptions;
  /** Nothing moves that the reader hasn't moved. */
  readonly calm: boolean;
  readonly interactive?: boolean;
}

interface Handlers {
  picked?: (picked: Picked | null, event: MouseEvent) => void;
  hovered?: (picked: Picked | null) => void;
  moved?: (view: View, byReader: boolean) => void;
  moving?: () => void;
  failed?: (layer: string) => void;
  loading?: (layer: string, busy: boolean) => void;
  drawn?: () => void;
}

export class Engine {
  readonly map: MapLibre;
  on: Handlers = {};

  #scene: Scene = { layers: [], selected: [] };
  readonly #marks: Marks;
  #structure = "";
  #data = new Map<string, unknown>();
  #theme: Theme;
  #lang: Language;
  #region: Box | null;
  #ready = false;

  constructor(options: EngineOptions) {
    this.#theme = options.theme;
    this.#lang = options.lang;
    this.#region = options.bounds;
    const { view, bounds, padding } = options;
    const camera =
      view !== null
        ? { center: [view.lon, view.lat] as [number, number], zoom: view.zoom }
        : bounds !== null
          ? { bounds: boundsOf(bounds), fitBoundsOptions: { padding } }
          : { center: [110, 33] as [number, number], zoom: 3 };
    this.map = new MapLibre({
      container: options.container,
      style: baseStyle(options.theme, options.lang),
      ...camera,
      maxZoom: ZOOM_MAX,
      minZoom: 2,
      attributionControl: false,
      interactive: options.interactive ?? true,
      dragRotate: false,
      boxZoom: false,
      pitchWithRotate: false,
      touchPitch: false,
      rollEnabled: false,
      fadeDuration: options.calm ? 0 : 120,
      localIdeographFontFamily:
        "system-ui, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif",
      transformRequest: (url) => {
        const own = new URL(url, location.href).origin === location.origin;
        const { Authorization } = headersOf({});
        return own && Authorization !== undefined ? { url, headers: { Authorization } } : { url };
      },
    });
    this.#marks = new Marks(this.map);
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.map.on("style.load", () => leaveOutSky(this.map));
    this.map.on("load", () => {
      this.#ready = true;
      this.#build();
    });
    this.map.on("error", ({ error, ...event }) => {
      const { sourceId: source } = event as { sourceId?: string };
      if (source?.startsWith(PREFIX) === true) this.on.failed?.(source.slice(PREFIX.length));
      else if ((error as Error).name !== "AbortError") console.warn(error.message);
    });
    this.map.on("sourcedataloading", ({ sourceId: source }) => this.#load(source, true));
    this.map.on("sourcedata", ({ sourceId: source }) => {
      const there = source.startsWith(PREFIX) && this.map.getSource(source) !== undefined;
      if (there && this.map.isSourceLoaded(source)) this.#load(source, false);
    });
    this.map.on("move", () => this.on.moving?.());
    this.map.on("moveend", (event) => {
      this.on.moved?.(this.view(), "originalEvent" in event && event.originalEvent !== undefined);
    });
    this.map.on("idle", () => this.on.drawn?.());
    this.map.on("click", (event) => this.on.picked?.(this.#pick(event), event.originalEvent));
    this.map.on("mousemove", (event) => this.#hover(event));
    this.map.on("mouseout", () => this.#leave());
    this.map.on("dragstart", () => this.#leave());
  }

  /** Draw a scene: only what differs from the one before is touched. */
  draw(scene: Scene): void {
    this.#scene = scene;
    if (this.#ready) this.#build();
  }

  /** Change theme and language; everything is drawn anew. */
  dress(theme: Theme, lang: Language): void {
    if (theme === this.#theme && lang === this.#lang) return;
    this.#theme = theme;
    this.#lang = lang;
    this.#structure = "";
    this.#data.clear();
    this.#ready = false;
    this.map.setStyle(baseStyle(theme, lang), { diff: false });
    this.map.once("style.load", () => {
      this.#ready = true;
      this.#build();
    });
  }

  view(): View {
    const { lng, lat } = this.map.getCenter();
    return { lon: lng, lat, zoom: this.map.getZoom() };
  }

  /** What is in view, without what panels cover. */
  box(): Box {
    const bounds = this.map.getBounds();
    return [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
  }

  fit(box: Box, padding: PaddingOptions, animate: boolean): void {
    this.map.fitBounds(boundsOf(box), { padding, maxZoom: 13, duration: animate ? 700 : 0 });
  }

  zoom(by: number, animate: boolean): void {
    this.map.easeTo({ zoom: this.map.getZoom() + by, duration: animate ? 250 : 0 });
  }

  goTo(view: View, animate: boolean): void {
    const camera = { center: [view.lon, view.lat] as [number, number], zoom: view.zoom };
    if (animate) this.map.flyTo({ ...camera, duration: 900 });
    else this.map.jumpTo(camera);
  }

  /** Mark an object as the one under the pointer, from elsewhere on the page. */
  point(id: string | null): void {
    this.#marks.hover(id);
  }

  /** Ask for the tiles of a layer again. */
  refresh(layer: string): void {
    const source = this.map.getSource<VectorTileSource>(PREFIX + layer);
    if (source?.type === "vector" && source.tiles !== undefined) source.setTiles([...source.tiles]);
  }

  /** Give the picture of the map as it is. */
  picture(): Promise<HTMLCanvasElement> {
    return new Promise((resolve) => {
      this.map.once("render", () => {
        const from = this.map.getCanvas();
        const copy = document.createElement("canvas");
        [copy.width, copy.height] = [from.width, from.height];
        copy.getContext("2d")?.drawImage(from, 0, 0);
        resolve(copy);
      });
      this.map.triggerRepaint();
    });
  }

  remove(): void {
    this.map.remove();
  }

  /** Tell when tiles of a layer are on their way, and when they are there. */
  #load(source: string, busy: boolean): void {
    const layer = source.slice(PREFIX.length);
    if (source.startsWith(PREFIX) && !layer.includes(":")) this.on.loading?.(layer, busy);
  }

  #build(): void {
    const { layers } = this.#scene;
    const structure = JSON.stringify(
      layers.map((one) => [one.layer.id, one.features === null, one.opacity]),
    );
    if (structure !== this.#structure) this.#rebuild(structure);
    for (const one of layers) this.#feed(one);
    this.#colour();
    this.#marks.choose(this.#scene);
  }

  #rebuild(structure: string): void {
    const style = this.map.getStyle();
    for (const layer of style.layers)
      if (layer.id.startsWith(PREFIX)) this.map.removeLayer(layer.id);
    const wanted = new Map(
      this.#scene.layers.flatMap((one) =>
        Object.entries(sourcesOf(one, this.#region ?? undefined)),
      ),
    );
    for (const [id, source] of Object.entries(style.sources)) {
      if (!id.startsWith(PREFIX)) continue;
      if (wanted.get(id)?.type === source.type) continue;
      this.map.removeSource(id);
      this.#data.delete(id);
    }
    for (const [id, source] of wanted) {
      if (this.map.getSource(id) === undefined) this.map.addSource(id, source);
    }
    const ink = INKS[this.#theme];
    for (const one of this.#scene.layers) {
      for (const layer of drawn(one, this.#theme, ink)) {
        const before = isArea(one.layer) ? WATER_FROM : LABELS_FROM;
        this.map.addLayer(layer, layer.type === "symbol" ? undefined : before);
      }
    }
    this.#structure = structure;
    this.#marks.forget();
  }

  /** Give a layer's sources what they are to hold, when it differs from what they do. */
  #feed(one: SceneLayer): void {
    const id = sourceId(one.layer);
    if (one.features !== null) {
      if (this.#data.get(id) === one.features) return;
      this.#data.set(id, one.features);
      this.map.getSource<GeoJSONSource>(id)?.setData(collection(one.features));
      if (isArea(one.layer)) {
        this.map.getSource<GeoJSONSource>(sourceId(one.layer, "labels"))?.setData(labels(one));
      }
      return;
    }
    if (one.tiles !== null && this.#data.get(id) !== one.tiles) {
      this.#data.set(id, one.tiles);
      this.map.getSource<VectorTileSource>(id)?.setTiles([one.tiles]);
    }
    const live = sourceId(one.layer, "live");
    if (this.#data.get(live) === one.live) return;
    this.#data.set(live, one.live);
    this.map.getSource<GeoJSONSource>(live)?.setData(collection(one.live));
    for (const { id: moved } of one.live) {
      const target = { source: id, sourceLayer: one.layer.collection, id: moved };
      this.map.setFeatureState(target, { moved: true });
    }
  }

  #colour(): void {
    for (const one of this.#scene.layers) {
      if (one.colours === null) continue;
      const source = sourceId(one.layer);
      for (const [id, colour] of one.colours) {
        this.map.setFeatureState(this.#target(one, source, id), { colour });
      }
    }
  }

  #target(
    one: SceneLayer,
    source: string,
    id: string,
  ): { source: string; sourceLayer?: string; id: string } {
    return one.tiles === null ? { source, id } : { source, sourceLayer: one.layer.collection, id };
  }

  #pick(event: MapMouseEvent): Picked | null {
    const { x, y } = event.point;
    const ids = this.map
      .getLayersOrder()
      .filter((id) => id.startsWith(PREFIX) && !/:(names|edge|mark|count)$/.test(id));
    if (ids.length === 0) return null;
    const found = this.map.queryRenderedFeatures(
      [
        [x - PICK_PX, y - PICK_PX],
        [x + PICK_PX, y + PICK_PX],
      ],
      { layers: ids },
    );
    const top =
      found.find((one) => one.layer.type !== "fill") ??
      this.map.queryRenderedFeatures(event.point, { layers: ids })[0] ??
      found[0];
    if (top === undefined) return null;
    const layer = top.source.slice(PREFIX.length).split(":")[0] ?? "";
    const label = this.#scene.layers.find((one) => one.layer.id === layer)?.layer.label ?? "name";
    const name: unknown = top.properties[label];
    return {
      id: typeof top.properties["id"] === "string" ? top.properties["id"] : null,
      layer,
      count: Number(top.properties["point_count"] ?? 1),
      name: typeof name === "string" ? name : null,
      x,
      y,
      lngLat: [event.lngLat.lng, event.lngLat.lat],
    };
  }

  #hover(event: MapMouseEvent): void {
    // Who drags the map points at nothing on it, and to look up what is there costs each frame.
    if (event.originalEvent.buttons !== 0) return;
    const picked = this.#pick(event);
    this.map.getCanvas().style.cursor = picked === null ? "" : "pointer";
    this.#marks.hover(picked?.id ?? null);
    this.on.hovered?.(picked);
  }

  #leave(): void {
    this.#marks.hover(null);
    this.on.hovered?.(null);
  }
}

/**
 * MapLibre draws a transparent sky over the whole canvas on every frame and has no switch for it. This
 * map is looked at from straight above, where none is seen, and where a machine draws in software
 * the sky costs as much as the land and the areas. Without what it is drawn from it is left out.
 */
function leaveOutSky(map: MapLibre): void {
  const sky = map.style.sky as { getEvaluated?: () => unknown } | null;
  if (sky?.getEvaluated !== undefined) sky.getEvaluated = () => undefined;
}

function boundsOf([west, south, east, north]: Box): LngLatBoundsLike {
  return [west, south, east, north];
}
