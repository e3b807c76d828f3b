// What the duty desk knows while the page is open: events, alerts and the log as they are now, who is at
// the desk, and what was done last. It speaks of now, whatever the map's clock says.

import { untrack } from "svelte";

import {
  askAlerts,
  askDesk,
  askEvents,
  askLog,
  type AlertRow,
  type DeskInfo,
  type Entry,
  type EventRow,
} from "../api/duty";
import type { ClassInfo } from "../api/layers";
import { Resource } from "../api/resource.svelte";
import { mapControl } from "../map/control.svelte";
import { boxOf } from "../map/shapes";
import { atlas } from "../state/atlas.svelte";
import { store } from "../state/store.svelte";

/** How often the desk is read anew when nobody tells of a change. */
export const EVERY_MS = 30_000;
/** The desk is read at most so often, however much changes. */
const PAUSE_MS = 2_000;

class DutyDesk {
  readonly info = new Resource<DeskInfo>();
  readonly events = new Resource<readonly EventRow[]>();
  readonly alerts = new Resource<readonly AlertRow[]>();
  readonly log = new Resource<readonly Entry[]>();
  /** The name under which things are done, as it was last written. */
  actor = $state("");
  /** What was done last, in words. */
  said = $state("");
  /** When the desk was last read. */
  readAt = $state<number | null>(null);

  /** What could not be done, when the form that it was done by is gone. */
  trouble = $state("");
  /** Whether a token is asked for. */
  signing = $state(false);

  #wake: (() => void) | null = null;
  #reading = false;
  #again = false;
  #count = 0;

  /** Read the desk; who asks while it is being read gets it read once more after that, at once if so said. */
  async read(atOnce = false): Promise<void> {
    this.#again = true;
    if (atOnce) this.#wake?.();
    if (this.#reading) return;
    this.#reading = true;
    while (this.#again) {
      this.#again = false;
      this.#count += 1;
      const key = String(this.#count);
      const asked = untrack(() => [
        this.events.load(key, askEvents),
        this.alerts.load(key, askAlerts),
        this.log.load(key, (signal) => askLog(signal)),
      ]);
      await Promise.all(asked);
      if (this.events.status === "ready") this.readAt = Date.now();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, PAUSE_MS);
      });
    }
    this.#reading = false;
  }

  /** Ask who is at the desk and what the region's cities are. */
  begin(): void {
    void this.info.load("desk", askDesk).then(() => {
      const { data } = this.info;
      // A token has a name; the caller of an open node is nobody in particular.
      if (data !== null && this.actor === "" && data.caller !== "local") this.actor = data.caller;
    });
  }

  /** Names of cities; of two that are called the same, with the province. */
  readonly #names = $derived.by(() => {
    const all = (this.info.data?.cities ?? []).map((one) => ({
      id: one.id,
      name: store.named(one.name, one.id),
      province: store.named(one.province, one.id),
    }));
    const twins = (name: string): number => all.filter((one) => one.name === name).length;
    return new Map(
      all.map(({ id, name, province }) => [id, twins(name) > 1 ? `${name} (${province})` : name]),
    );
  });
  readonly #kinds = $derived(
    new Map(this.info.data?.kinds.map((one) => [one.key, one.name]) ?? []),
  );

  /** The name of a city for people. */
  city(id: string): string {
    return this.#names.get(id) ?? id;
  }

  /** The names of cities, as a list. */
  cities(ids: readonly string[]): string {
    return new Intl.ListFormat(store.lang === "zh" ? "zh-CN" : "en-GB").format(
      ids.map((one) => this.city(one)),
    );
  }

  kind(key: string): string {
    return store.named(this.#kinds.get(key), key);
  }

  /** How a severity is shown: by the classes of the layer of events. */
  severity(value: string): { colour: string; name: string } {
    const layer = atlas.layers.find((one) => one.type === "RegionalEvent");
    const found: ClassInfo | undefined = layer?.classes.find((one) => one.value === value);
    return { colour: found?.colour ?? "", name: store.named(found?.label, value) };
  }

  /** Look at cities on the map. */
  look(cities: readonly string[]): void {
    const shapes = cities.map(
      (one) => atlas.places.get(`urn:ngsi-ld:City:${one}:${one}`)?.geometry ?? null,
    );
    const box = boxOf(shapes);
    if (box !== null) mapControl.fit(box);
  }

  /** Select an event, or an alert with its event, and look at it; what is selected is let go. */
  choose(id: string, cities: readonly string[], event: string | null = null): void {
    const around = event === null ? [] : [event];
    if (store.page.selected[0] === id) {
      store.change({ selected: around });
      return;
    }
    store.change({ selected: [id, ...around] });
    this.look(cities);
  }
}

export const desk = new DutyDesk();
