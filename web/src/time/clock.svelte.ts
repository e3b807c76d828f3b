// The one clock of all layers: which times it can be set to, where layers have data, and its play.

import type { LayerInfo } from "../api/layers";
import { atlas } from "../state/atlas.svelte";
import type { Step } from "../state/model";
import { store } from "../state/store.svelte";
import { instantOf, stepFor, stepOf, stepped, written } from "./calendar";

export const PLAY_EVERY_MS = 900;
const STOPS_MAX = 1500;
const FALLBACK_SPAN_MS = 24 * 3_600_000;

/** From when to when a layer has data, as instants. */
export interface Coverage {
  readonly layer: LayerInfo;
  readonly begin: number;
  readonly end: number;
}

class Clock {
  playing = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Where each layer on the map has data; null for a layer without dates. */
  readonly coverages: readonly (Coverage | { layer: LayerInfo; begin: null; end: null })[] =
    $derived(atlas.placed.map(({ layer }) => this.#coverage(layer)));

  readonly span: { begin: number; end: number } | null = $derived.by(() => {
    const dated = this.coverages.filter((one): one is Coverage => one.begin !== null);
    if (dated.length === 0) return null;
    const begin = Math.min(...dated.map((one) => one.begin));
    const end = Math.max(...dated.map((one) => one.end));
    return { begin: Math.min(begin, end - FALLBACK_SPAN_MS / 24), end };
  });

  readonly step: Step = $derived(
    store.page.step ?? (this.span === null ? "year" : stepFor(this.span.begin, this.span.end)),
  );

  /** Times that the clock can be set to by the slider; the last one is now. */
  readonly stops: readonly (string | null)[] = $derived.by(() => {
    if (this.span === null) return [null];
    const { begin, end } = this.span;
    const stops: (string | null)[] = [];
    let text = written(begin, this.step);
    while (stops.length < STOPS_MAX && instantOf(stepped(text, this.step, -1)) < end) {
      stops.push(text);
      text = stepped(text, this.step, 1);
    }
    return [...stops, null];
  });

  /** Which stop the clock is at, or the next one after it. */
  readonly at: number = $derived.by(() => {
    const { time } = store.page;
    if (time === null) return this.stops.length - 1;
    const instant = instantOf(time);
    const found = this.stops.findIndex((one) => one === null || instantOf(one) >= instant);
    return found < 0 ? this.stops.length - 1 : found;
  });

  #coverage(layer: LayerInfo): Coverage | { layer: LayerInfo; begin: null; end: null } {
    const { indicator } = atlas;
    if (
      layer.form === "choropleth" &&
      indicator !== null &&
      layer.indicators?.includes(indicator)
    ) {
      const first = indicator.years[0];
      const last = indicator.years[indicator.years.length - 1];
      if (first !== undefined && last !== undefined) {
        return { layer, begin: instantOf(String(first)), end: instantOf(String(last)) };
      }
    }
    const begin = layer.time?.[0];
    if (typeof begin !== "string") return { layer, begin: null, end: null };
    const end = layer.time?.[1];
    return {
      layer,
      begin: Date.parse(begin),
      end: typeof end === "string" ? Date.parse(end) : atlas.now,
    };
  }

  set(time: string | null): void {
    store.change({ time });
  }

  move(steps: number): void {
    const next = Math.max(0, Math.min(this.stops.length - 1, this.at + steps));
    this.set(this.stops[next] ?? null);
  }

  toggle(): void {
    if (this.playing) this.pause();
    else this.play();
  }

  play(): void {
    if (this.stops.length < 2) return;
    this.playing = true;
    if (this.at >= this.stops.length - 1) this.set(this.stops[0] ?? null);
    this.#timer = setInterval(() => {
      if (this.at >= this.stops.length - 2) this.pause();
      if (this.at < this.stops.length - 2) this.move(1);
    }, PLAY_EVERY_MS);
  }

  pause(): void {
    this.playing = false;
    clearInterval(this.#timer);
  }

  /** The clock's time at its own scale, for people to read. */
  get scale(): Step {
    return store.page.time === null ? this.step : stepOf(store.page.time);
  }
}

export const clock = new Clock();
