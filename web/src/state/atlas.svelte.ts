// What the page knows of the region: its layers, the objects of those that are shown, the figures that
// colour them, and how its nodes are doing. Everything here follows from the store and from answers.

import { untrack } from "svelte";
import { SvelteMap, SvelteSet } from "svelte/reactivity";

import { askFeatures, termsOf, WHOLE_MAX, type Feature, type Features } from "../api/features";
import { askHealth, askVersion, type Health, type Version } from "../api/health";
import { askHistories, pointAt, type Histories } from "../api/history";
import type { Answer, Completeness } from "../api/http";
import {
  askLayers,
  findLayer,
  sourceOf,
  termOf,
  type Catalogue,
  type Indicator,
  type LayerInfo,
} from "../api/layers";
import { live, type Change } from "../api/live.svelte";
import { shortId, typeOfId } from "../api/objects";
import { Resource } from "../api/resource.svelte";
import { askSystems, type SystemInfo } from "../api/systems";
import { askVocabulary, type Vocabulary } from "../api/vocabulary";
import { unitOf } from "../i18n/say";
import { classify, classOf, type Classed } from "../map/classify";
import { NO_FIGURE } from "../map/palettes";
import { instantOf, written } from "../time/calendar";
import { shownAs, store } from "./store.svelte";
import type { Shown } from "./model";

/** A layer on the map, with how it is shown. */
export interface Placed {
  readonly layer: LayerInfo;
  readonly shown: Shown;
}

export type { Classed } from "../map/classify";

export type Side = "left" | "right";

/** Who wants to know when objects of some types change, besides the map. */
interface Watcher {
  readonly types: readonly string[];
  readonly changed: () => void;
}

export const HEALTH_EVERY_MS = 30_000;
const EMPTY: Answer<Features> = {
  body: { features: [] },
  completeness: null,
  headers: new Headers(),
};
/** Objects of one layer that are kept as they change; tiles have the rest. */
const LIVE_MAX = 5_000;
const NOTHING: readonly never[] = [];
/** What is asked of each figure besides its value: when it was observed, and whether it is made up. */
const MADE = ["observedAt", "simulated", "replayed"];
/** Objects that are looked at to tell what a layer of tiles is made of. */
const SAMPLE = 20;

class Atlas {
  readonly catalogue = new Resource<Catalogue>();
  readonly vocabulary = new Resource<Vocabulary>();
  readonly health = new Resource<Health>();
  readonly version = new Resource<Version>();
  readonly systems = new Resource<readonly SystemInfo[]>();
  readonly figures = new Resource<Histories>();
  readonly divisors = new Resource<Histories>();
  /** Objects of a layer, of those that are few enough to come whole; by id of the layer. */
  readonly objects = new SvelteMap<string, Resource<Features>>();
  /** Objects of a layer with what has changed since they came; of tiles, only what has changed. */
  readonly merged = new SvelteMap<string, readonly Feature[]>();
  readonly #watchers = new SvelteSet<Watcher>();
  /** How often tiles have had to be asked for again. */
  stale = $state(0);
  /** The moment that "now" means; moves by the minute. */
  now = $state(Date.now());

  readonly layers: readonly LayerInfo[] = $derived(this.catalogue.data?.layers ?? []);

  /** Layers on the map, top-most first. */
  readonly placed: readonly Placed[] = $derived.by(() => {
    const asked =
      store.page.layers ?? this.layers.filter((one) => one.visible).map((one) => shownAs(one.id));
    return asked.flatMap((shown) => {
      const layer = findLayer(this.layers, shown.id);
      return layer === null ? [] : [{ layer, shown }];
    });
  });

  /** What is on the right of a swipe: the same layers at another time, or another layer. */
  readonly right: readonly Placed[] = $derived.by(() => {
    const { other } = store.page;
    if (other === null) return [];
    if (other.kind === "time") {
      return this.placed.map(({ layer, shown }) => ({
        layer,
        shown: { ...shown, pinned: other.time },
      }));
    }
    const layer = findLayer(this.layers, other.layer);
    return layer === null ? [] : [{ layer, shown: shownAs(layer.id) }];
  });

  /** Layers that the address names and the node doesn't have. */
  readonly unknown: readonly string[] = $derived(
    this.catalogue.data === null
      ? []
      : (store.page.layers ?? [])
          .filter((one) => findLayer(this.layers, one.id) === null)
          .map((one) => one.id),
  );

  /** The layer whose figures colour the map and fill the charts. */
  readonly choropleth: LayerInfo | null = $derived(
    this.placed.find(({ layer }) => layer.form === "choropleth")?.layer ??
      this.layers.find((one) => one.form === "choropleth") ??
      null,
  );

  readonly indicators: readonly Indicator[] = $derived(this.choropleth?.indicators ?? []);

  readonly indicator: Indicator | null = $derived.by(() => {
    const wanted = store.page.indicator ?? this.choropleth?.attribute ?? null;
    if (wanted === null) return this.indicators[0] ?? null;
    return (
      this.indicators.find((one) => one.attribute === wanted) ??
      this.indicators.find((one) => termOf(one.attribute) === termOf(wanted)) ??
      this.indicators[0] ??
      null
    );
  });

  /** The clock's instant. */
  readonly instant: number = $derived(
    store.page.time === null ? this.now : instantOf(store.page.time),
  );

  /** Objects of the choropleth by id. */
  readonly places: ReadonlyMap<string, Feature> = $derived.by(() => {
    const { choropleth } = this;
    const features =
      choropleth === null ? [] : (this.objects.get(choropleth.id)?.data?.features ?? []);
    return new Map(features.map((one) => [one.id, one]));
  });

  /** The instant that the choropleth is shown at: its own, or the clock's. */
  readonly colourInstant: number = $derived.by(() => {
    const pinned = this.placed.find(({ layer }) => layer === this.choropleth)?.shown.pinned ?? null;
    return pinned === null ? this.instant : instantOf(pinned);
  });

  readonly classed: Classed | null = $derived(this.classedAt(this.colourInstant));

  /** Nodes whose objects the map lacks at present. */
  readonly missing: readonly string[] = $derived.by(() => {
    const names = new Set<string>();
    const add = (said: Completeness | null | undefined): void => {
      for (const one of said?.missing ?? []) names.add(one.node);
    };
    for (const { layer } of this.placed) add(this.objects.get(layer.id)?.completeness);
    add(this.figures.completeness);
    for (const one of this.health.data?.nodes ?? []) {
      if (one.state === "open" || one.state === "half-open") names.add(one.node);
    }
    return [...names].sort();
  });

  /** Ask for what the page needs, and again whenever the store asks for something else. */
  begin(): void {
    // Which systems run decides what tools there are; the map doesn't wait for it.
    void this.catalogue
      .load("layers", askLayers)
      .then(() => this.systems.load("systems", askSystems));
    void this.vocabulary.load("vocabulary", askVocabulary);
    void this.version.load("version", askVersion);
    this.askHealth();
    setInterval(() => this.askHealth(), HEALTH_EVERY_MS);
    setInterval(() => (this.now = Date.now()), 60_000);
    $effect.root(() => {
      $effect(() => this.#loadObjects());
      $effect(() => this.#loadFigures());
      $effect(() => this.#follow());
    });
  }

  askHealth(): void {
    void this.health.load(`health ${Date.now()}`, askHealth);
    // Without the answer some tools are missing, and nobody would ask again by hand.
    if (this.systems.status === "failed") this.systems.retry();
  }

  /** The time that a layer is shown at: its own, or the clock's. */
  timeOf(placed: Placed): string | null {
    return placed.shown.pinned ?? store.page.time;
  }

  /** Whether a layer is drawn from its objects, not from tiles. */
  isWhole(layer: LayerInfo): boolean {
    return (layer.count ?? 0) <= WHOLE_MAX;
  }

  /** Ask for the objects of a layer, unless they are there; `side` is that of a swipe. */
  loadLayer(placed: Placed, side: Side = "left"): Resource<Features> {
    const { layer } = placed;
    const key = side === "left" ? layer.id : `right:${layer.id}`;
    let resource = untrack(() => this.objects.get(key));
    if (resource === undefined) {
      resource = new Resource<Features>();
      this.objects.set(key, resource);
    }
    // Boundaries stay; the figures that colour them come by the history.
    const time = layer.form === "choropleth" ? null : this.timeOf(placed);
    const { lang } = store;
    const members = layer.form === "choropleth" ? [] : MADE;
    const properties = layer.form === "choropleth" ? termsOf(layer) : [];
    const loading = resource;
    untrack(() => {
      void loading.load(`${layer.id} ${time} ${lang}`, (signal) => {
        this.merged.delete(key);
        // A layer without objects is no collection yet.
        if (layer.count === 0) return Promise.resolve(EMPTY);
        const limit = this.isWhole(layer) ? WHOLE_MAX : SAMPLE;
        return askFeatures(layer, { time, lang, members, properties, limit }, signal);
      });
    });
    return resource;
  }

  /** Objects of a layer as they are now: those that came whole, with what has changed since. */
  featuresOf(layer: LayerInfo, side: Side = "left"): readonly Feature[] {
    const own = side === "left" || layer.form === "choropleth";
    const key = own ? layer.id : `right:${layer.id}`;
    return this.merged.get(key) ?? this.objects.get(key)?.data?.features ?? NOTHING;
  }

  /** Objects of a layer of tiles that have changed since the page was opened. */
  liveOf(layer: LayerInfo): readonly Feature[] {
    return this.merged.get(layer.id) ?? NOTHING;
  }

  /** Tell of changes of some types, whatever is on the map and at whatever time; gives what ends it. */
  watch(types: readonly string[], changed: () => void): () => void {
    const watcher = { types, changed };
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  /** Take up what has changed: into the objects that are there, or over the tiles. */
  take(changes: readonly Change[]): void {
    const changed = new Set(changes.flatMap((one) => one.types));
    for (const watcher of this.#watchers) {
      if (watcher.types.some((one) => changed.has(one))) watcher.changed();
    }
    for (const { layer, shown } of this.placed) {
      const own = changes.filter((one) => one.types.includes(layer.type));
      if (own.length === 0 || shown.pinned !== null || store.page.time !== null) continue;
      live.latest.set(layer.id, Math.max(...own.map(({ at }) => at)));
      if (layer.q !== null) {
        // Whether what changed still belongs to the layer is the node's to judge.
        this.objects.get(layer.id)?.retry();
        continue;
      }
      const before = this.isWhole(layer) ? this.featuresOf(layer) : this.liveOf(layer);
      const now = new Map(before.map((one) => [one.id, one]));
      for (const { id, feature } of own) {
        if (feature === null) now.delete(id);
        else now.set(id, feature);
      }
      this.merged.set(layer.id, [...now.values()].slice(-LIVE_MAX));
    }
  }

  #loadObjects(): void {
    const wanted = [...this.placed];
    const { choropleth } = this;
    if (choropleth !== null && !wanted.some(({ layer }) => layer.id === choropleth.id)) {
      wanted.push({ layer: choropleth, shown: shownAs(choropleth.id) });
    }
    for (const placed of wanted) this.loadLayer(placed);
    for (const placed of this.right) this.loadLayer(placed, "right");
  }

  /** Read everything that is shown anew: some of what changed was missed. */
  readAgain(): void {
    this.merged.clear();
    for (const watcher of this.#watchers) watcher.changed();
    for (const { layer } of this.placed) {
      this.objects.get(layer.id)?.retry();
      if (!this.isWhole(layer)) this.stale += 1;
    }
  }

  /** Follow what changes in the layers on the map, while the clock is at now. */
  #follow(): void {
    const types = this.placed
      .filter(({ layer, shown }) => layer.form !== "choropleth" && shown.pinned === null)
      .map(({ layer }) => layer.type);
    const watched = [...this.#watchers].flatMap((one) => one.types);
    const wanted = [...new Set([...(store.page.time === null ? types : []), ...watched])];
    const { lang } = store;
    const follower = {
      taken: (changes: readonly Change[]) => this.take(changes),
      missed: () => this.readAgain(),
    };
    untrack(() => live.follow(wanted, lang, follower));
  }

  #loadFigures(): void {
    const { choropleth, indicator } = this;
    const { per } = store.page;
    if (choropleth === null || indicator === null) return;
    const key = indicator.attribute;
    const divisor = this.divisor;
    untrack(() => {
      void this.figures.load(key, (signal) => askHistories(choropleth.type, key, signal));
      if (per === null || divisor === null) this.divisors.clear();
      else
        void this.divisors.load(divisor, (signal) =>
          askHistories(choropleth.type, divisor, signal),
        );
    });
  }

  /** The key of what figures are divided by. */
  get divisor(): string | null {
    const { per } = store.page;
    const term = per === "person" ? "population" : per === "area" ? "area" : null;
    return this.indicators.find((one) => one.attribute === term)?.attribute ?? null;
  }

  /** Give every object's figure at an instant, divided as chosen. */
  valuesAt(instant: number): { values: Map<string, number>; at: number } {
    const values = new Map<string, number>();
    let latest = -Infinity;
    for (const [id, points] of this.figures.data ?? []) {
      const point = pointAt(points, instant);
      if (point === null) continue;
      const value = this.#divided(id, point.at, point.value);
      if (value === null) continue;
      latest = Math.max(latest, point.at);
      values.set(id, value);
    }
    return { values, at: latest };
  }

  #divided(id: string, at: number, value: number): number | null {
    if (store.page.per === null || this.divisor === null) return value;
    const under = pointAt(this.divisors.data?.get(id) ?? [], at);
    if (under === null || under.value === 0) return null;
    return value / (store.page.per === "area" ? under.value / 1e6 : under.value);
  }

  /** Give an object's figures through time, divided as chosen. */
  seriesOf(id: string): { at: number; value: number }[] {
    return (this.figures.data?.get(id) ?? []).flatMap(({ at, value }) => {
      const divided = this.#divided(id, at, value);
      return divided === null ? [] : [{ at, value: divided }];
    });
  }

  /** Put the figures of an instant into classes, or into those of another moment. */
  classedAt(instant: number, like: Classed | null = null): Classed | null {
    const { values, at } = this.valuesAt(instant);
    if (values.size === 0) return null;
    const { scheme, classes, steady, reference, selected } = store.page;
    return classify(values, {
      scheme,
      classes,
      reference,
      chosen: selected[0] ?? null,
      among: steady ? this.#ever : null,
      like,
      theme: store.theme,
      year: written(at, "year"),
      late: written(at, "year") !== written(instant, "year"),
    });
  }

  /** Every figure of every year. */
  readonly #ever: readonly number[] = $derived(
    [...(this.figures.data ?? new Map<string, never>()).keys()].flatMap((id) =>
      this.seriesOf(id).map(({ value }) => value),
    ),
  );

  /** The colour of an object's class. */
  colourOf(classed: Classed | null, id: string): string {
    const value = classed?.values.get(id);
    if (classed === null || value === undefined) return NO_FIGURE[store.theme];
    return classed.colours[classOf(value, classed.breaks)] ?? NO_FIGURE[store.theme];
  }

  /** The name of a term for people. */
  termName(term: string): string {
    return store.named(this.vocabulary.data?.[term], term);
  }

  /** The name of a key for people: the term's, and the source where it names one. */
  keyName(key: string): string {
    const source = sourceOf(key);
    const name = this.termName(termOf(key));
    return source === null ? name : `${name} (${source})`;
  }

  /** The name of an indicator, with its source where several give it, and what it is divided by. */
  indicatorName(indicator: Indicator, divided = false): string {
    const twins = this.indicators.filter(
      (one) => termOf(one.attribute) === termOf(indicator.attribute),
    );
    const name = store.named(indicator.label, termOf(indicator.attribute));
    const source = twins.length > 1 ? sourceOf(indicator.attribute) : null;
    const { per } = store.page;
    const by =
      divided && per !== null
        ? `, ${store.say(per === "person" ? "colour.perPerson" : "colour.perArea")}`
        : "";
    return (source === null ? name : `${name} · ${source}`) + by;
  }

  /** The unit of the indicator as it is shown; of a divided one without the divisor's. */
  readonly unit: string | null = $derived(this.indicator?.unit ?? null);

  unitName(typical: number): string {
    return unitOf(store.lang, this.unit, typical).name;
  }

  /** The name of an object that the page has seen; the end of its id otherwise. */
  nameOf(id: string): string {
    const seen = this.find(id)?.feature;
    const name = seen?.properties["name"];
    return typeof name === "string" ? name : shortId(id);
  }

  /** Find an object among those that the page has. */
  find(id: string): { layer: LayerInfo; feature: Feature } | null {
    const type = typeOfId(id);
    for (const layer of this.layers) {
      if (type !== null && layer.type !== type) continue;
      const feature = this.objects.get(layer.id)?.data?.features.find((one) => one.id === id);
      if (feature !== undefined) return { layer, feature };
    }
    return null;
  }

  readonly title: string = $derived(
    store.named(this.catalogue.data?.region.title, store.say("app.name")),
  );
}

export const atlas = new Atlas();
