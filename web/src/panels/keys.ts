// What each key does, anywhere on the page except while something is written.

import { mapControl } from "../map/control.svelte";
import type { Panel } from "../state/model";
import { store, type SayKey } from "../state/store.svelte";
import { clock } from "../time/clock.svelte";
import { isOffered } from "./registry";

export interface KeyRow {
  readonly keys: readonly string[];
  readonly label: SayKey;
  /** The panel that it opens, where that is not to be found everywhere. */
  readonly panel?: Panel;
}

export const KEYS: readonly KeyRow[] = [
  { keys: ["?"], label: "help.help" },
  { keys: ["/"], label: "help.search" },
  { keys: ["L"], label: "help.layers" },
  { keys: ["C"], label: "help.chart" },
  { keys: ["T"], label: "help.table" },
  { keys: ["X"], label: "help.compare" },
  { keys: ["D"], label: "help.export" },
  { keys: ["S"], label: "help.share" },
  { keys: ["H"], label: "help.health" },
  { keys: ["M"], label: "help.near" },
  { keys: ["W"], label: "panel.duty", panel: "duty" },
  { keys: ["Space"], label: "help.play" },
  { keys: [",", "."], label: "help.step" },
  { keys: ["0"], label: "help.now" },
  { keys: ["R"], label: "map.home" },
  { keys: ["G"], label: "help.language" },
  { keys: ["B"], label: "help.theme" },
];

const PANEL_KEYS: Readonly<Record<string, Panel>> = {
  l: "layers",
  c: "chart",
  t: "table",
  x: "compare",
  d: "export",
  s: "share",
  h: "health",
  m: "near",
  w: "duty",
};

/** What the page itself does: its box of search and its list of keys. */
export interface Page {
  readonly search: () => void;
  readonly help: () => void;
  readonly layers: () => void;
  readonly close: () => void;
}

/** Do what a key says; whether it said anything. */
export function press(event: KeyboardEvent, page: Page): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || isWriting(event)) return false;
  const key = event.key.toLowerCase();
  const panel = PANEL_KEYS[key];
  if (panel === "layers") page.layers();
  else if (panel !== undefined && isOffered(panel)) store.toggle(panel);
  else if (event.key === "?") page.help();
  else if (key === "/") page.search();
  else if (key === "escape") page.close();
  else if (key === " " && !isPressing(event)) clock.toggle();
  else if (key === ",") clock.move(-1);
  else if (key === ".") clock.move(1);
  else if (key === "0") clock.set(null);
  else if (key === "r") mapControl.home();
  else if (key === "g") store.change({ lang: store.lang === "zh" ? "en" : "zh" });
  else if (key === "b") store.change({ theme: store.theme === "dark" ? "light" : "dark" });
  else return false;
  return true;
}

function isWriting(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  const typed = target.closest(
    "input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]",
  );
  return typed !== null || target.closest("dialog") !== null;
}

/** Whether the space bar presses what has the focus. */
function isPressing(event: KeyboardEvent): boolean {
  return (
    (event.target as HTMLElement).closest(
      "button, a, summary, input, [role=button], [role=slider]",
    ) !== null
  );
}
