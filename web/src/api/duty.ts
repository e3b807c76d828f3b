// The duty desk of a region's warnings: what is under way, what can be done about it, and the log of who
// did so (`/warnings`, docs/systems/warnings.md).

import type { Names } from "../i18n/say";
import { askJson, query, type Answer } from "./http";

export type Made = "live" | "replayed" | "simulated";

/** What one sender says about an event. */
export interface Said {
  readonly alert: string;
  readonly city: string;
  readonly sender: string;
  readonly severity: string;
  readonly state: "active" | "superseded" | "over" | "withdrawn";
  readonly issued: string;
  readonly cities: readonly string[];
  readonly headline: Names;
}

/** When an event is expected at a city; `probability` is null where none is stated. */
export interface Arrival {
  readonly city: string;
  readonly medium: string;
  readonly expected: string;
  readonly earliest: string;
  readonly latest: string;
  readonly probability: number | null;
}

export interface EventRow {
  readonly id: string;
  readonly kind: string;
  readonly name: Names;
  readonly severity: string;
  readonly from: string;
  readonly to: string;
  readonly cities: readonly string[];
  readonly releasedTo: readonly string[];
  readonly acknowledged: boolean;
  readonly acknowledgedBy: readonly string[];
  readonly statements: readonly Said[];
  readonly provenance: Made;
  readonly forecast: readonly Arrival[];
}

export interface AlertRow {
  readonly id: string;
  readonly kind: string;
  readonly severity: string;
  readonly state: string;
  readonly headline: Names;
  readonly description: Names;
  readonly instruction: Names;
  readonly certainty: string;
  readonly urgency: string;
  readonly status: string;
  /** Whom it is for, as CAP says it: only what is Public goes into feeds. */
  readonly scope: string;
  readonly sender: string;
  /** Whether the node that keeps it has sent it, and so may end it. */
  readonly own: boolean;
  readonly issued: string;
  readonly from: string;
  readonly to: string;
  readonly cities: readonly string[];
  readonly releasedTo: readonly string[];
  readonly acknowledged: boolean;
  readonly acknowledgedBy: readonly string[];
  readonly provenance: Made;
}

export interface Entry {
  readonly id: string;
  readonly at: string;
  readonly action: Action | "issue";
  readonly target: string;
  readonly title: Names;
  readonly actor: string;
  readonly account: string;
  readonly cities: readonly string[];
  readonly note: string;
  readonly provenance: Made;
}

/** What the node says of its desk: who asks, the region's cities, and where alerts are acted on. */
export interface DeskInfo {
  readonly owner: string;
  readonly caller: string;
  readonly mayAct: boolean;
  readonly cities: readonly {
    readonly id: string;
    readonly name: Names;
    readonly province: Names;
  }[];
  readonly kinds: readonly { readonly key: string; readonly name: Names }[];
  readonly desks: Readonly<Record<string, string>>;
}

export const ACTIONS = ["acknowledge", "release", "cancel", "clear"] as const;
export type Action = (typeof ACTIONS)[number];

/** What is done at the desk, as it is sent. */
export interface Act {
  readonly actor: string;
  readonly note?: string;
  readonly cities?: readonly string[];
}

/** A warning as it is ordered in plain words. */
export interface Order extends Act {
  readonly kind: string;
  readonly severity: string;
  readonly certainty: string;
  readonly headline: Names;
  readonly description: Names;
  readonly instruction: Names;
  readonly hours: number;
  readonly exercise: boolean;
}

/** The operation that a node must offer for there to be a desk. */
export const NEEDED = "POST /warnings/alerts/{id}/{action}";
/** Types whose changes concern the desk. */
export const TYPES = ["Alert", "ArrivalForecast", "DutyAction", "RegionalEvent"] as const;

export function askDesk(signal: AbortSignal): Promise<Answer<DeskInfo>> {
  return askJson<DeskInfo>("/warnings/desk", { signal });
}

export function askEvents(signal: AbortSignal): Promise<Answer<readonly EventRow[]>> {
  return askJson<readonly EventRow[]>("/warnings/events", { signal });
}

export function askAlerts(signal: AbortSignal): Promise<Answer<readonly AlertRow[]>> {
  return askJson<readonly AlertRow[]>("/warnings/alerts", { signal });
}

export function askLog(signal: AbortSignal, target?: string): Promise<Answer<readonly Entry[]>> {
  return askJson<readonly Entry[]>(`/warnings/log${query({ target })}`, { signal });
}

/** Do something at a desk. */
export async function act(desk: string, id: string, action: Action, said: Act): Promise<void> {
  await askJson(`${desk}/alerts/${encodeURIComponent(id)}/${action}`, { sent: said });
}

/** Issue a warning at a desk; gives the id of the alert. */
export async function issue(desk: string, order: Order): Promise<string> {
  const { body } = await askJson<{ id: string }>(`${desk}/issue`, { sent: order });
  return body.id;
}

/** Where an alert or an event is acted on: at the desk of who keeps it; null when that is elsewhere. */
export function deskOf(info: DeskInfo, id: string): string | null {
  return info.desks[id.split(":")[3] ?? ""] ?? null;
}
