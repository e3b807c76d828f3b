// What a search finds: at once among what the page knows, a moment later among what the node finds.

import { AskError, askJson, query } from "../api/http";
import type { Box } from "../api/layers";
import type { Names } from "../i18n/say";
import { nameOf, shortId, type Raw } from "../api/objects";
import { atlas } from "../state/atlas.svelte";
import { store, t } from "../state/store.svelte";
import { mapControl } from "../map/control.svelte";
import { plain } from "../i18n/say";
import { turnOn } from "./layering";
import { readPlace, scored } from "./matching";

export type HitKind = "city" | "object" | "type" | "layer" | "indicator" | "place";

/** One thing that was found, and what happens when it is taken. */
export interface Hit {
  readonly key: string;
  readonly kind: HitKind;
  readonly name: string;
  /** Where it belongs and what it covers. */
  readonly path: string;
  readonly id: string | null;
  readonly take: () => void;
}

/** What a node finds (`/map/search`). */
interface Found {
  readonly kind: "city" | "object" | "type" | "layer" | "dataset";
  readonly id: string;
  readonly title: Names;
  readonly collection: string;
  readonly path: readonly { readonly title: Names }[];
  readonly bbox?: Box | null;
  readonly time?: readonly [string | null, string | null] | null;
  readonly count?: number;
}

const HITS_MAX = 20;
const DELAY_MS = 180;
const NAMED_MAX = 1000;
const PLACE_ZOOM = 11;

class Search {
  #text = $state("");
  #named = $state.raw<readonly Raw[]>([]);
  #remote = $state.raw<readonly Hit[]>([]);
  busy = $state(false);
  error = $state.raw<AskError | null>(null);
  #controller: AbortController | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = false;

  readonly hits: readonly Hit[] = $derived.by(() => {
    const text = this.#text.trim();
    if (text === "") return [];
    const local = [...place(text), ...this.#cities(text), ...indicators(text), ...layers(text)];
    const keys = new Set(local.map((one) => one.key));
    return [...local, ...this.#remote.filter((one) => !keys.has(one.key))].slice(0, HITS_MAX);
  });

  ask(text: string): void {
    this.#text = text;
    if (text.trim() !== "") void this.#learnNames();
    clearTimeout(this.#timer);
    this.#controller?.abort();
    if (text.trim().length < 1) {
      this.#remote = [];
      this.busy = false;
      return;
    }
    this.busy = true;
    this.#timer = setTimeout(() => void this.#askNode(text.trim()), DELAY_MS);
  }

  /** Names in every language of the objects that people look for most: those of the choropleth. */
  async #learnNames(): Promise<void> {
    const type = atlas.choropleth?.type;
    if (this.#asked || type === undefined) return;
    this.#asked = true;
    const address = `/ngsi-ld/v1/entities${query({ type, pick: "id,type,name,province", limit: NAMED_MAX })}`;
    try {
      this.#named = (await askJson<Raw[]>(address, { terms: true })).body;
    } catch {
      this.#asked = false;
    }
  }

  async #askNode(text: string): Promise<void> {
    const controller = new AbortController();
    this.#controller = controller;
    try {
      const { body } = await askJson<{ finds: Found[] }>(`/map/search${query({ q: text })}`, {
        signal: controller.signal,
      });
      this.#remote = body.finds.flatMap(hitsOf);
      this.error = null;
    } catch (error) {
      if (controller.signal.aborted) return;
      this.#remote = [];
      // A node without a search still finds what the page knows.
      this.error = error instanceof AskError && error.kind !== "absent" ? error : null;
    }
    if (!controller.signal.aborted) this.busy = false;
  }

  #cities(text: string): Hit[] {
    const found = this.#named.flatMap((raw) => {
      const names = nameOf(raw);
      const score = Math.max(...Object.values(names).map((name) => scored(name, text)));
      return score > 0 ? [{ raw, names, score }] : [];
    });
    found.sort((one, other) => other.score - one.score);
    return found.map(({ raw, names }) => {
      const province = nameOf({ id: raw.id, name: raw["province"] } as Raw);
      const name = store.named(names, raw.id);
      const second = store.lang === "zh" ? names.en : names.zh;
      const path = [store.named(province, ""), second].filter(
        (one) => one !== undefined && one !== name,
      );
      return {
        key: raw.id,
        kind: "city" as const,
        name,
        path: path.join(" · "),
        id: raw.id,
        take: () => openObject(raw.id),
      };
    });
  }
}

function openObject(id: string): void {
  store.open(id);
  const geometry = atlas.find(id)?.feature.geometry;
  if (geometry) mapControl.zoomToShape(geometry);
}

/** Take up what a node finds; layers and indicators the page has found itself already. */
function hitsOf(found: Found): Hit[] {
  if (found.kind === "layer" || found.kind === "dataset") return [];
  const path = found.path.map((one) => store.named(one.title, ""));
  if (found.count !== undefined)
    path.push(t("search.count", { count: plain(store.lang, found.count) }));
  const years = (found.time ?? []).map((one) => one?.slice(0, 4));
  if (years[0] !== undefined && years[1] !== undefined)
    path.push(t("search.years", { begin: years[0], end: years[1] }));
  const box = found.bbox ?? null;
  return [
    {
      key: found.kind === "type" ? `type:${found.id}` : found.id,
      kind: found.kind,
      name: store.named(found.title, shortId(found.id)),
      path: path.join(" · "),
      id: found.kind === "type" ? null : found.id,
      take: () => {
        if (found.kind === "type") {
          const layer = atlas.layers.find((one) => one.type === found.collection);
          if (layer !== undefined) turnOn(layer.id);
        } else store.open(found.id);
        if (box !== null) mapControl.fit(box);
      },
    },
  ];
}

function layers(text: string): Hit[] {
  return atlas.layers.flatMap((layer) => {
    const all = [
      ...Object.values(layer.title),
      ...Object.values(layer.group),
      layer.type,
      layer.id,
    ];
    if (!all.some((one) => scored(one, text) > 0)) return [];
    const count =
      layer.count === null ? "" : t("search.count", { count: plain(store.lang, layer.count) });
    return [
      {
        key: `layer:${layer.id}`,
        kind: "layer" as const,
        name: store.named(layer.title, layer.id),
        path: [store.named(layer.group, ""), atlas.termName(layer.type), count]
          .filter(Boolean)
          .join(" · "),
        id: null,
        take: () => {
          turnOn(layer.id);
          mapControl.zoomTo(layer);
        },
      },
    ];
  });
}

function indicators(text: string): Hit[] {
  return atlas.indicators.flatMap((indicator) => {
    const all = [...Object.values(indicator.label), indicator.attribute];
    if (!all.some((one) => scored(one, text) > 0)) return [];
    const [first, last] = [indicator.years[0], indicator.years[indicator.years.length - 1]];
    const years =
      first === undefined || last === undefined
        ? ""
        : t("search.years", { begin: first, end: last });
    return [
      {
        key: `indicator:${indicator.attribute}`,
        kind: "indicator" as const,
        name: atlas.indicatorName(indicator),
        path: [years, indicator.source].filter(Boolean).join(" · "),
        id: null,
        take: () => store.change({ indicator: indicator.attribute }),
      },
    ];
  });
}

function place(text: string): Hit[] {
  const found = readPlace(text);
  if (found === null) return [];
  const said = `${found.lat}, ${found.lon}`;
  return [
    {
      key: "place",
      kind: "place",
      name: t("search.goto", { place: said }),
      path: "",
      id: null,
      take: () => mapControl.goTo({ ...found, zoom: PLACE_ZOOM }),
    },
  ];
}

export const search = new Search();
