// A link says what differs from the page as it opens, whatever it is, and nothing else.

import { describe, expect, test } from "vitest";

import { decode, encode } from "../../src/state/codec";
import { DEFAULTS, type PageState } from "../../src/state/model";

const FULL: PageState = {
  view: { lon: 117.81, lat: 30.95, zoom: 8.25 },
  layers: [
    { id: "air", opacity: 40, pinned: "2020-05" },
    { id: "cities", opacity: 100, pinned: null },
  ],
  indicator: "co2@edgar-v8:prefecture",
  per: "person",
  scheme: "jenks",
  classes: 7,
  steady: true,
  reference: 12.5,
  time: "2015",
  step: "month",
  selected: ["urn:ngsi-ld:City:tongling:tongling", "urn:x:a,b%2C", "https://a.b/c?d=1&e"],
  panel: "object",
  attribute: "co2",
  chart: "scatter",
  against: "gdp@yearbooks-real:prefecture",
  other: { kind: "time", time: "2005" },
  split: 35,
  filter: "population > 5000000 & 合肥",
  sort: "-population",
  desk: "log",
  lang: "zh",
  theme: "dark",
  embed: true,
};

test("the page as it opens has an empty query", () => {
  expect(encode(DEFAULTS)).toBe("");
  expect(decode("")).toEqual({ state: DEFAULTS, ignored: [] });
});

test("every part of the state comes back from its link", () => {
  expect(decode(encode(FULL))).toEqual({ state: FULL, ignored: [] });
});

test.each(Object.keys(DEFAULTS) as (keyof PageState)[])(
  "%s alone comes back from its link",
  (key) => {
    const state = { ...DEFAULTS, [key]: FULL[key] };
    const query = encode(state);
    expect(query).not.toBe("");
    expect(decode(`?${query}`).state).toEqual(state);
  },
);

test("a link can be read by people", () => {
  const state = {
    ...DEFAULTS,
    selected: ["urn:ngsi-ld:City:hefei:hefei"],
    indicator: "co2@ceads:prefecture",
  };
  expect(encode(state)).toBe("indicator=co2@ceads:prefecture&select=urn:ngsi-ld:City:hefei:hefei");
});

test("a map without any layer is not the map as it opens", () => {
  const state = { ...DEFAULTS, layers: [] };
  expect(encode(state)).toBe("layers=");
  expect(decode("layers=").state.layers).toEqual([]);
});

describe("what can't be read is left out and named", () => {
  test.each([
    ["classes=99", "classes"],
    ["classes=many", "classes"],
    ["time=yesterday", "time"],
    ["time=2015-13", "time"],
    ["view=1,2", "view"],
    ["view=500,2,3", "view"],
    ["panel=secret", "panel"],
    ["layers=<b>", "layers"],
    ["compare=moon:1", "compare"],
    ["utm_source=mail", "utm_source"],
  ])("%s", (query, name) => {
    const { state, ignored } = decode(`lang=zh&${query}`);
    expect(ignored).toEqual([name]);
    expect(state).toEqual({ ...DEFAULTS, lang: "zh" });
  });
});

test("names that a parameter had go on working", () => {
  expect(decode("t=2015&l=cities&language=zh-CN").state).toEqual({
    ...DEFAULTS,
    time: "2015",
    layers: [{ id: "cities", opacity: 100, pinned: null }],
    lang: "zh",
  });
});

test("a layer named twice is shown once", () => {
  expect(decode("layers=a,b,a:20").state.layers?.map((one) => one.id)).toEqual(["a", "b"]);
});
