// Figures into classes: where one class ends and the next begins. Pure; nothing is drawn here.

import type { Reference, Scheme, Theme } from "../state/model";
import { diverging, sequential } from "./palettes";

/** Above this many figures natural breaks are found on as many of their quantiles. */
export const JENKS_MAX = 400;

/** Figures of one moment in classes. */
export interface Classed {
  readonly values: ReadonlyMap<string, number>;
  readonly breaks: Breaks;
  readonly colours: readonly string[];
  /** Classes below the reference; null without one. */
  readonly below: number | null;
  readonly reference: number | null;
  readonly least: number;
  readonly most: number;
  /** The year that the figures are of. */
  readonly year: string;
  /** Whether that is earlier than the clock. */
  readonly late: boolean;
}

/** How figures are put into classes. */
export interface Classing {
  readonly scheme: Scheme;
  readonly classes: number;
  readonly reference: Reference | null;
  /** The object whose figure `reference` may mean. */
  readonly chosen: string | null;
  /** Figures that the classes are to suit; null for those that are shown. */
  readonly among: readonly number[] | null;
  /** Another moment whose classes are taken over, so that the two compare. */
  readonly like: Classed | null;
  readonly theme: Theme;
  readonly year: string;
  readonly late: boolean;
}

/** Inner breaks, rising: class `k` has figures from `breaks[k - 1]` on to below `breaks[k]`. */
export type Breaks = readonly number[];

/** Put the figures of a moment into classes; null when there are none. */
export function classify(values: ReadonlyMap<string, number>, by: Classing): Classed | null {
  const shown = [...values.values()];
  if (shown.length === 0) return null;
  const { scheme, classes, like, theme, year, late } = by;
  const range = { least: Math.min(...shown), most: Math.max(...shown) };
  if (like !== null) return { ...like, values, ...range, year, late };
  const among = by.among ?? shown;
  const reference = referenceOf(values, by);
  if (reference === null) {
    const breaks = breaksOf(among, classes, scheme);
    const colours = sequential(breaks.length + 1, theme);
    return { values, breaks, colours, below: null, reference, ...range, year, late };
  }
  const { breaks, below } = breaksAround(among, reference, classes, scheme);
  const colours = diverging(below, breaks.length + 1 - below, theme);
  return { values, breaks, colours, below, reference, ...range, year, late };
}

function referenceOf(values: ReadonlyMap<string, number>, by: Classing): number | null {
  if (by.reference === null || typeof by.reference === "number") return by.reference;
  if (by.reference === "selected") return values.get(by.chosen ?? "") ?? null;
  return (by.reference === "mean" ? mean : median)([...values.values()]);
}

/** Find at most `count` classes. Fewer come out when figures are equal. */
export function breaksOf(values: readonly number[], count: number, scheme: Scheme): Breaks {
  const sorted = values.filter(Number.isFinite).sort((one, other) => one - other);
  const least = sorted[0];
  const most = sorted[sorted.length - 1];
  if (least === undefined || most === undefined || least === most) return [];
  const found =
    scheme === "equal"
      ? equal(least, most, count)
      : scheme === "jenks"
        ? jenks(sorted, count)
        : quantile(sorted, count);
  return [...new Set(found)].filter((one) => one > least && one <= most);
}

/** Find classes on both sides of a reference, which is a break itself. */
export function breaksAround(
  values: readonly number[],
  reference: number,
  count: number,
  scheme: Scheme,
): { readonly breaks: Breaks; readonly below: number } {
  const half = Math.max(1, Math.floor(count / 2));
  const low = values.filter((one) => one < reference);
  const high = values.filter((one) => one >= reference);
  const under = low.length === 0 ? [] : breaksOf(low, half, scheme);
  const over = high.length === 0 ? [] : breaksOf(high, half, scheme);
  const turn = low.length > 0 && high.length > 0 ? [reference] : [];
  const breaks = [...under, ...turn, ...over.filter((one) => one > reference)];
  return { breaks, below: low.length === 0 ? 0 : under.length + 1 };
}

/** Which class a figure is in, from 0. */
export function classOf(value: number, breaks: Breaks): number {
  let at = 0;
  while (at < breaks.length && value >= (breaks[at] ?? Infinity)) at += 1;
  return at;
}

function equal(least: number, most: number, count: number): number[] {
  const width = (most - least) / count;
  return Array.from({ length: count - 1 }, (_, at) => least + width * (at + 1));
}

/** Classes of as nearly the same number of figures as their order allows. */
function quantile(sorted: readonly number[], count: number): number[] {
  return Array.from({ length: count - 1 }, (_, at) => {
    const place = Math.round(((at + 1) * sorted.length) / count);
    return sorted[Math.min(place, sorted.length - 1)] ?? NaN;
  });
}

/**
 * Natural breaks: the classes with the least variance within (Fisher 1958, Jenks 1977), exactly, by
 * dynamic programming over the sorted figures.
 */
function jenks(given: readonly number[], count: number): number[] {
  const sorted =
    given.length <= JENKS_MAX
      ? given
      : Array.from(
          { length: JENKS_MAX },
          (_, at) => given[Math.round((at * (given.length - 1)) / (JENKS_MAX - 1))] ?? NaN,
        );
  const n = sorted.length;
  const k = Math.min(count, new Set(sorted).size);
  const sum = prefix(sorted, (one) => one);
  const squares = prefix(sorted, (one) => one * one);
  const within = (from: number, to: number): number => {
    const total = at(sum, to) - at(sum, from);
    return at(squares, to) - at(squares, from) - (total * total) / (to - from);
  };
  let best = Array.from({ length: n + 1 }, (_, to) => (to === 0 ? 0 : within(0, to)));
  const cuts: number[][] = [];
  for (let classes = 2; classes <= k; classes += 1) {
    const next = new Array<number>(n + 1).fill(Infinity);
    const cut = new Array<number>(n + 1).fill(0);
    for (let to = classes; to <= n; to += 1) {
      for (let from = classes - 1; from < to; from += 1) {
        const cost = at(best, from) + within(from, to);
        if (cost < at(next, to)) {
          next[to] = cost;
          cut[to] = from;
        }
      }
    }
    best = next;
    cuts.push(cut);
  }
  const breaks: number[] = [];
  let to = n;
  for (const cut of cuts.reverse()) {
    to = at(cut, to);
    breaks.unshift(at(sorted, to));
  }
  return breaks;
}

function prefix(values: readonly number[], term: (value: number) => number): number[] {
  const sums = [0];
  for (const value of values) sums.push(at(sums, sums.length - 1) + term(value));
  return sums;
}

function at(values: readonly number[], index: number): number {
  return values[index] ?? NaN;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, one) => sum + one, 0) / values.length;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? at(sorted, half) : (at(sorted, half - 1) + at(sorted, half)) / 2;
}
