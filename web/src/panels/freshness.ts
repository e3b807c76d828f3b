// How fresh a layer is, in a word: live, its age, stale, simulated, or of which year.

import { age } from "../i18n/say";
import { atlas, type Placed } from "../state/atlas.svelte";
import { store, t } from "../state/store.svelte";
import { told } from "../time/calendar";
import { live } from "../api/live.svelte";

export interface Freshness {
  readonly kind: "live" | "age" | "stale" | "simulated" | "static";
  readonly text: string;
  readonly title: string;
}

/** Judge a layer: what is made up says so before anything else. */
export function freshnessOf({ layer, shown }: Placed): Freshness {
  const made = madeOf(layer.id) ?? layer.provenance;
  if (made === "simulated" || made === "replayed") {
    const text = t(made === "simulated" ? "fresh.simulated" : "fresh.replayed");
    return {
      kind: "simulated",
      text,
      title: live.latest.has(layer.id) ? `${text}, ${t("fresh.live")}` : text,
    };
  }
  if (layer.form === "choropleth" && atlas.classed !== null) {
    const text = told(atlas.classed.year, store.lang);
    return { kind: "static", text, title: t("fresh.asOf", { time: text }) };
  }
  const time = shown.pinned ?? store.page.time;
  if (time !== null) {
    const text = told(time, store.lang);
    return { kind: "static", text, title: t("fresh.asOf", { time: text }) };
  }
  const newest = newestOf(layer.id) ?? instant(layer.time?.[1]);
  if (newest === null || layer.freshS === null) {
    if (live.connected && live.latest.has(layer.id))
      return { kind: "live", text: t("fresh.live"), title: "" };
    const text = layer.provenance === "modelled" ? t("fresh.modelled") : t("fresh.static");
    return { kind: "static", text, title: text };
  }
  const seconds = Math.max(0, (atlas.now - newest) / 1000);
  const title = t("fresh.asOf", { time: new Date(newest).toLocaleString(store.lang) });
  if (seconds > layer.freshS) {
    return { kind: "stale", text: t("fresh.stale", { age: age(store.lang, seconds) }), title };
  }
  if (live.connected) return { kind: "live", text: t("fresh.live"), title };
  if (live.broken) return { kind: "age", text: t("fresh.reconnecting"), title };
  return { kind: "age", text: t("fresh.age", { age: age(store.lang, seconds) }), title };
}

/** What objects of a layer say of themselves: made up, played back, or neither. */
function madeOf(id: string): "simulated" | "replayed" | null {
  for (const { properties } of atlas.objects.get(id)?.data?.features ?? []) {
    for (const [name, value] of Object.entries(properties)) {
      if (value === true && name.endsWith(".simulated")) return "simulated";
      if (value === true && name.endsWith(".replayed")) return "replayed";
    }
  }
  return null;
}

/** The latest time that any object of a layer was observed at, among those that the page has. */
function newestOf(id: string): number | null {
  let newest = live.latest.get(id) ?? -Infinity;
  for (const { properties } of atlas.objects.get(id)?.data?.features ?? []) {
    for (const [name, value] of Object.entries(properties)) {
      if ((name.endsWith(".observedAt") || name === "dateObserved") && typeof value === "string") {
        const at = Date.parse(value);
        if (at > newest) newest = at;
      }
    }
  }
  return Number.isFinite(newest) ? newest : null;
}

function instant(text: string | null | undefined): number | null {
  return typeof text === "string" ? Date.parse(text) : null;
}
