// What the duty desk makes of answers: which comes first, what is said in which order, how times and
// the log read. Pure.

import type { AlertRow, Arrival, Entry, EventRow, Said } from "../api/duty";
import type { Names } from "../i18n/say";
import type { Language } from "../state/model";
import type { SayKey } from "../state/store.svelte";
import { ZONE } from "../time/calendar";
import type { Row } from "./rows";

/** Severities by the Smart Data Models, the worst first. */
export const SEVERITIES = ["critical", "high", "medium", "low", "informational"] as const;
export const ORDERS = ["severity", "time"] as const;
export type Order = (typeof ORDERS)[number];

interface Ranked {
  readonly severity: string;
  readonly from: string;
  readonly id: string;
}

function rank(severity: string): number {
  const found = (SEVERITIES as readonly string[]).indexOf(severity);
  return found < 0 ? SEVERITIES.length : found;
}

/** Order what is under way: the worst or the newest first; what is equal by the other, then by id. */
export function ordered<T extends Ranked>(rows: readonly T[], order: Order): T[] {
  const bySeverity = (one: T, other: T): number => rank(one.severity) - rank(other.severity);
  const byTime = (one: T, other: T): number => other.from.localeCompare(one.from);
  const [first, second] = order === "severity" ? [bySeverity, byTime] : [byTime, bySeverity];
  return [...rows].sort(
    (one, other) => first(one, other) || second(one, other) || one.id.localeCompare(other.id),
  );
}

/** How CAP says that something is certain, the surest first, and how people are told. */
export const CERTAINTIES: readonly (readonly [string, SayKey])[] = [
  ["Observed", "duty.observed"],
  ["Likely", "duty.likely"],
  ["Possible", "duty.possible"],
  ["Unlikely", "duty.unlikely"],
  ["Unknown", "duty.unknown"],
];

/** The surest that is said of an event; null when nothing is. */
export function surest(said: readonly string[]): SayKey | null {
  return CERTAINTIES.find(([one]) => said.includes(one))?.[1] ?? null;
}

/** What holds now, the last said first, and what was said before it. */
export function saidNow(event: EventRow): { now: readonly Said[]; before: readonly Said[] } {
  const latest = [...event.statements].sort((one, other) => other.issued.localeCompare(one.issued));
  return {
    now: latest.filter((one) => one.state === "active"),
    before: latest.filter((one) => one.state !== "active"),
  };
}

/** Alerts in force that are part of no event. */
export function outside(
  alerts: readonly AlertRow[],
  events: readonly EventRow[],
): readonly AlertRow[] {
  const known = new Set(events.flatMap((one) => one.statements.map(({ alert }) => alert)));
  return alerts.filter((one) => !known.has(one.id));
}

/** The event that an id names, by itself or by one of its alerts. */
export function eventOf(events: readonly EventRow[], id: string | null): EventRow | null {
  if (id === null) return null;
  return (
    events.find((one) => one.id === id) ??
    events.find((one) => one.statements.some(({ alert }) => alert === id)) ??
    null
  );
}

/** The arrival that is expected next; null when none is ahead. */
export function nextArrival(forecast: readonly Arrival[], now: number): Arrival | null {
  return forecast.find((one) => Date.parse(one.latest) >= now) ?? null;
}

/** Entries that concern an event, itself or its alerts, or a single object; all for null. */
export function entriesOf(
  log: readonly Entry[],
  events: readonly EventRow[],
  target: string | null,
): readonly Entry[] {
  if (target === null) return log;
  const event = events.find((one) => one.id === target);
  const ids = new Set([target, ...(event?.statements.map(({ alert }) => alert) ?? [])]);
  return log.filter((one) => ids.has(one.target));
}

export const LOG_COLUMNS = [
  "at",
  "action",
  "actor",
  "account",
  "target",
  "title",
  "cities",
  "note",
  "provenance",
] as const;

/** Make rows of the log for a file. */
export function logRows(log: readonly Entry[], title: (names: Names) => string): Row[] {
  return log.map((one) => ({
    id: one.id,
    properties: { ...one, title: title(one.title), cities: one.cities.join(" ") },
  }));
}

/** Say a time of today by the clock, another one with its day. */
export function shortTime(text: string, now: number, lang: Language): string {
  const at = Date.parse(text);
  const locale = lang === "zh" ? "zh-CN" : "en-GB";
  const day = new Intl.DateTimeFormat(locale, { timeZone: ZONE, dateStyle: "short" });
  const sameDay = day.format(at) === day.format(now);
  return new Intl.DateTimeFormat(locale, {
    timeZone: ZONE,
    hour: "2-digit",
    minute: "2-digit",
    hour12: false,
    ...(sameDay ? {} : { month: "short", day: "numeric" }),
  }).format(at);
}

/** Texts in the languages that something was written in; none for nothing but spaces. */
export function textsOf(zh: string, en: string): Names {
  return {
    ...(zh.trim() === "" ? {} : { zh: zh.trim() }),
    ...(en.trim() === "" ? {} : { en: en.trim() }),
  };
}
