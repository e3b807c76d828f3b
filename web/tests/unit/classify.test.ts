// Breaks against published figures, by hand, and by trying every way.

import { describe, expect, test } from "vitest";

import {
  breaksAround,
  breaksOf,
  classify,
  classOf,
  mean,
  median,
  type Classing,
} from "../../src/map/classify";

/** Every way to cut a sorted list into classes, and the one with the least variance within. */
function exhaustive(sorted: number[], count: number): number {
  const cost = (part: number[]): number => {
    const middle = mean(part);
    return part.reduce((sum, one) => sum + (one - middle) ** 2, 0);
  };
  const best = (from: number, left: number): number => {
    if (left === 1) return cost(sorted.slice(from));
    let least = Infinity;
    for (let to = from + 1; to <= sorted.length - left + 1; to += 1) {
      least = Math.min(least, cost(sorted.slice(from, to)) + best(to, left - 1));
    }
    return least;
  };
  return best(0, count);
}

function within(values: number[], breaks: readonly number[]): number {
  const groups = new Map<number, number[]>();
  for (const value of values) {
    const at = classOf(value, breaks);
    groups.set(at, [...(groups.get(at) ?? []), value]);
  }
  return [...groups.values()].reduce(
    (sum, part) => sum + part.reduce((own, one) => own + (one - mean(part)) ** 2, 0),
    0,
  );
}

test("natural breaks have the least variance within that any cut has", () => {
  const values = [4, 5, 9, 10, 11, 30, 31, 33, 70, 71, 120, 121].sort((a, b) => a - b);
  for (const count of [2, 3, 4, 5]) {
    const breaks = breaksOf(values, count, "jenks");
    expect(breaks).toHaveLength(count - 1);
    expect(within(values, breaks)).toBeCloseTo(exhaustive(values, count), 6);
  }
});

test("quantiles put as many into each class", () => {
  const values = Array.from({ length: 40 }, (_, at) => (at * 37) % 40);
  const breaks = breaksOf(values, 4, "quantile");
  const counts = [0, 0, 0, 0];
  for (const value of values)
    counts[classOf(value, breaks)] = (counts[classOf(value, breaks)] ?? 0) + 1;
  expect(counts).toEqual([10, 10, 10, 10]);
});

test("equal steps are equally wide", () => {
  expect(breaksOf([0, 3, 100], 4, "equal")).toEqual([25, 50, 75]);
});

describe.each(["quantile", "jenks", "equal"] as const)("%s", (scheme) => {
  test("figures that are all the same are one class", () => {
    expect(breaksOf([7, 7, 7], 5, scheme)).toEqual([]);
  });

  test("no figures are no breaks, and what is not a number doesn't count", () => {
    expect(breaksOf([], 5, scheme)).toEqual([]);
    expect(breaksOf([NaN, Infinity, 1], 5, scheme)).toEqual([]);
  });

  test("fewer different figures than classes give fewer classes", () => {
    expect(breaksOf([1, 1, 2, 2, 2], 5, scheme).length).toBeLessThan(5);
    const breaks = breaksOf([1, 2], 5, scheme);
    expect(classOf(1, breaks)).toBeLessThan(classOf(2, breaks));
  });

  test("a reference is a break, with classes of its own on both sides", () => {
    const values = [1, 2, 3, 4, 10, 20, 30, 40];
    const { breaks, below } = breaksAround(values, 5, 6, scheme);
    expect(breaks).toContain(5);
    expect(classOf(4, breaks)).toBe(below - 1);
    expect(classOf(10, breaks)).toBe(below);
  });
});

test("a reference beyond all figures leaves one side empty", () => {
  expect(breaksAround([1, 2, 3], 100, 4, "equal").below).toBe(
    breaksAround([1, 2, 3], 100, 4, "equal").breaks.length + 1,
  );
  expect(breaksAround([1, 2, 3], 0, 4, "equal").below).toBe(0);
});

test("the median is the middle, or between the two in the middle", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
});

const BY: Classing = {
  scheme: "equal",
  classes: 4,
  reference: null,
  chosen: "b",
  among: null,
  like: null,
  theme: "light",
  year: "2015",
  late: false,
};
const VALUES = new Map([
  ["a", 0],
  ["b", 10],
  ["c", 40],
]);

test("no figures are no classes", () => {
  expect(classify(new Map(), BY)).toBeNull();
});

test("there is a colour for each class", () => {
  const classed = classify(VALUES, BY);
  expect(classed?.breaks).toEqual([10, 20, 30]);
  expect(classed?.colours).toHaveLength(4);
  expect([classed?.least, classed?.most, classed?.below]).toEqual([0, 40, null]);
});

test("another moment takes over the classes it is compared by, not their figures", () => {
  const now = classify(VALUES, BY);
  const then = classify(new Map([["a", 5]]), { ...BY, like: now, year: "2005" });
  expect(then?.breaks).toEqual(now?.breaks);
  expect(then?.colours).toEqual(now?.colours);
  expect([then?.least, then?.most, then?.year]).toEqual([5, 5, "2005"]);
});

test.each([
  ["mean", 50 / 3],
  ["median", 10],
  ["selected", 10],
  [7, 7],
] as const)("classes around %s turn there", (reference, value) => {
  const classed = classify(VALUES, { ...BY, reference });
  expect(classed?.reference).toBeCloseTo(value, 9);
  expect(classed?.breaks).toContain(classed?.reference);
});

test("steady classes suit the figures of all years", () => {
  expect(classify(VALUES, { ...BY, among: [0, 400] })?.breaks).toEqual([100, 200, 300]);
});
