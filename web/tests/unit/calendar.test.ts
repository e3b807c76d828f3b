// Times as they are written, in the region's zone.

import { describe, expect, test } from "vitest";

import {
  addSteps,
  instantOf,
  isTime,
  stepFor,
  stepOf,
  stepped,
  ticks,
  told,
  written,
} from "../../src/time/calendar";

test("a year means its end in the region's zone, when its figures are known", () => {
  expect(new Date(instantOf("2015")).toISOString()).toBe("2015-12-31T15:59:59.999Z");
  expect(instantOf("2015")).toBeGreaterThanOrEqual(Date.parse("2015-12-31T15:59:59Z"));
});

test.each([
  ["2016-02", "2016-02-29T15:59:59.999Z"],
  ["2016-02-10", "2016-02-10T15:59:59.999Z"],
  ["2016-02-10T08", "2016-02-10T00:59:59.999Z"],
  ["2016-02-10T08:30", "2016-02-10T00:30:59.999Z"],
  ["2016-02-10T08:30:00Z", "2016-02-10T08:30:00.000Z"],
])("%s", (text, instant) => {
  expect(new Date(instantOf(text)).toISOString()).toBe(instant);
});

test.each(["", "now", "15", "2015-13", "2015-02-30", "2015-2", "2015-01-01T25"])(
  "%j is no time",
  (text) => {
    expect(isTime(text)).toBe(false);
  },
);

describe.each(["2015", "2015-06", "2015-06-30", "2015-06-30T23", "2015-06-30T23:59"])(
  "%s",
  (text) => {
    test("is written back as it was", () => {
      expect(written(instantOf(text), stepOf(text))).toBe(text);
    });

    test("a step forward and one back lead home", () => {
      const step = stepOf(text);
      expect(stepped(stepped(text, step, 1), step, -1)).toBe(text);
      expect(instantOf(stepped(text, step, 1))).toBeGreaterThan(instantOf(text));
    });
  },
);

test("a step of a month from its last day stays in the next month", () => {
  expect(new Date(addSteps(Date.UTC(2015, 0, 31), "month", 1)).toISOString().slice(0, 10)).toBe(
    "2015-02-28",
  );
});

test.each([
  ["2000", "2023", "year"],
  ["2022-01", "2023-12", "month"],
  ["2023-01-01", "2023-02-20", "day"],
  ["2023-01-01", "2023-01-03", "hour"],
] as const)("from %s to %s the clock steps by the %s", (begin, end, step) => {
  expect(stepFor(instantOf(begin), instantOf(end))).toBe(step);
});

test("marks are round and within the span", () => {
  const [begin, end] = [instantOf("2000"), instantOf("2023")];
  expect(ticks(begin, end, "year", 8).map((one) => written(one, "year"))).toEqual([
    "2000",
    "2005",
    "2010",
    "2015",
    "2020",
  ]);
});

test("times are told in the language of the page", () => {
  expect(told("2015", "zh")).toBe("2015年");
  expect(told("2015", "en")).toBe("2015");
  expect(told("2015-06", "en")).toBe("Jun 2015");
});
