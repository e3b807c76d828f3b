// What is done to layers: turned on and off, moved, dimmed, held at a time.

import { atlas, type Placed } from "../state/atlas.svelte";
import { LAYERS_MAX, type Shown } from "../state/model";
import { shownAs, store } from "../state/store.svelte";
import { written } from "../time/calendar";
import { clock } from "../time/clock.svelte";

function now(): Shown[] {
  return atlas.placed.map(({ shown }) => shown);
}

export function turnOn(id: string): void {
  const shown = now();
  if (shown.length >= LAYERS_MAX || shown.some((one) => one.id === id)) return;
  store.change({ layers: [shownAs(id), ...shown] });
}

export function turnOff(id: string): void {
  store.change({ layers: now().filter((one) => one.id !== id) });
}

export function move(id: string, by: number): void {
  const shown = now();
  const at = shown.findIndex((one) => one.id === id);
  const one = shown[at];
  if (one === undefined || at + by < 0 || at + by >= shown.length) return;
  shown.splice(at, 1);
  shown.splice(at + by, 0, one);
  store.change({ layers: shown });
}

export function alter(id: string, changes: Partial<Shown>): void {
  store.change({ layers: now().map((one) => (one.id === id ? { ...one, ...changes } : one)) });
}

/** Hold a layer at the clock's time, or let it follow the clock again. */
export function togglePin({ shown }: Placed): void {
  const time = store.page.time ?? written(atlas.now, clock.step);
  alter(shown.id, { pinned: shown.pinned === null ? time : null });
}
