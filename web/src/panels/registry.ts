// The panels that there are: what each is called, what it is drawn by, and where it is reached.

import type { Component } from "svelte";

import { NEEDED } from "../api/duty";
import { offers } from "../api/systems";
import { atlas } from "../state/atlas.svelte";
import type { Panel } from "../state/model";
import type { SayKey } from "../state/store.svelte";

export const TITLES: Readonly<Record<Panel, SayKey>> = {
  layers: "panel.layers",
  chart: "panel.chart",
  object: "panel.object",
  table: "panel.table",
  compare: "panel.compare",
  export: "panel.export",
  health: "panel.health",
  near: "panel.near",
  share: "panel.share",
  about: "panel.about",
  duty: "panel.duty",
};

/** Panels that are not needed to see the map are loaded when they are opened. */
export const LOADED: Readonly<Partial<Record<Panel, () => Promise<{ default: Component }>>>> = {
  object: () => import("./ObjectPanel.svelte"),
  table: () => import("./TablePanel.svelte"),
  compare: () => import("./ComparePanel.svelte"),
  export: () => import("./ExportPanel.svelte"),
  health: () => import("./HealthPanel.svelte"),
  near: () => import("./NearPanel.svelte"),
  share: () => import("./SharePanel.svelte"),
  about: () => import("./AboutPanel.svelte"),
  duty: () => import("./DutyPanel.svelte"),
};

/** Panels that speak to a system: they are there where a system of the node answers an operation. */
const NEEDS: Readonly<Partial<Record<Panel, string>>> = { duty: NEEDED };

/** How much waits at a panel for somebody to look: silent nodes, events that nobody has acknowledged. */
export function waitingAt(panel: Panel): number {
  if (panel === "health") return atlas.missing.length;
  const layer = atlas.layers.find(({ type }) => type === "RegionalEvent");
  if (panel !== "duty" || layer === undefined) return 0;
  return atlas.featuresOf(layer).filter(({ properties }) => properties["acknowledged"] !== true)
    .length;
}

/** Whether there is a use for a panel at this node, as far as the node has said. */
export function isOffered(panel: Panel): boolean {
  const needed = NEEDS[panel];
  return needed === undefined || offers(atlas.systems.data ?? [], needed);
}

/** Tools of the bar, in order. */
export const TOOLS: readonly Panel[] = [
  "duty",
  "chart",
  "table",
  "compare",
  "export",
  "near",
  "share",
  "health",
  "about",
];

/** Tools that a phone has at its foot; the others are one touch further. */
export const FOOT: readonly Panel[] = ["layers", "chart", "table", "near"];
