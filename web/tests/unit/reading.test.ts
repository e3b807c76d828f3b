// What answers, searches and filters mean.

import { describe, expect, test } from "vitest";

import { completenessOf, query } from "../../src/api/http";
import { pointAt, readHistories, seriesOf } from "../../src/api/history";
import { sourceOf, termOf } from "../../src/api/layers";
import { changesOf, readEvent } from "../../src/api/live.svelte";
import { nameOf, relationsOf, shortId, statementsOf, typeOfId } from "../../src/api/objects";
import { correlation, niceTicks } from "../../src/charts/scales";
import { LINES, ramp, sequential, diverging } from "../../src/map/palettes";
import { boxAround, boxOf, covers, distanceM, labelPoint } from "../../src/map/shapes";
import { readPlace, scored } from "../../src/panels/matching";
import { columnsOf, csvOf, readFilter, sorted } from "../../src/panels/rows";

describe("coordinates", () => {
  test.each([
    ["31.23, 121.47", 31.23, 121.47],
    ["121.47 31.23", 31.23, 121.47],
    ["31.23N 121.47E", 31.23, 121.47],
    ["E 121", null, null],
    ["121.47°E, 31.23°N", 31.23, 121.47],
    ["33.9 S, 18.4 E", -33.9, 18.4],
    ["合肥", null, null],
    ["95, 200", null, null],
  ])("%s", (text, lat, lon) => {
    expect(readPlace(text)).toEqual(lat === null ? null : { lat, lon });
  });
});

test("the same name goes before one that begins so, and that before one that has it", () => {
  expect([
    scored("Hefei", "hefei"),
    scored("Hefei", "he"),
    scored("Hefei", "fei"),
    scored("Hefei", "x"),
  ]).toEqual([3, 2, 1, 0]);
  expect(scored("Huai'an", "huaian")).toBe(3);
  expect(scored("铜陵市", "铜陵")).toBe(2);
});

const ROWS = [
  {
    id: "a",
    properties: {
      name: "Anqing",
      population: 4_117_000,
      "population.unitCode": "IE",
      "co2@ceads:x": 3,
    },
  },
  { id: "b", properties: { name: "Hefei", population: 9_853_000, "co2@ceads:x": null } },
  { id: "c", properties: { name: "=cmd()", population: 1_301_000, "co2@ceads:x": 1 } },
];
const COLUMNS = ["name", "population", "co2@ceads:x"];
const plainName = (key: string): string => (key === "population" ? "Resident population" : key);

describe("a filter", () => {
  test.each([
    ["", ["a", "b", "c"]],
    ["he", ["b"]],
    ["population > 4000000", ["a", "b"]],
    ["population >= 4,117,000; name = Anqing", ["a"]],
    ["co2 < 2", ["c"]],
    ["name != Hefei", ["a", "c"]],
  ])("%j", (text, ids) => {
    const test = readFilter(text, COLUMNS, plainName);
    expect(ROWS.filter((row) => test?.(row)).map((row) => row.id)).toEqual(ids);
  });

  test("that names no column is said to be none", () => {
    expect(readFilter("wealth > 3", COLUMNS, plainName)).toBeNull();
  });
});

test("rows are ordered by numbers as numbers, and what is missing comes last either way", () => {
  expect(sorted(ROWS, "population", "en").map((one) => one.id)).toEqual(["c", "a", "b"]);
  expect(sorted(ROWS, "-co2@ceads:x", "en").map((one) => one.id)).toEqual(["a", "c", "b"]);
  expect(sorted(ROWS, "co2@ceads:x", "en").map((one) => one.id)).toEqual(["c", "a", "b"]);
});

test("units are not columns, and what is worth showing comes first", () => {
  expect(columnsOf(ROWS, ["co2"])).toEqual(["co2@ceads:x", "name", "population"]);
});

test("a text that a spreadsheet would run is kept a text; quotes and commas are kept", () => {
  const text = csvOf(
    [...ROWS.slice(2), { id: "d", properties: { name: 'say "a, b"', population: -1 } }],
    ["name", "population"],
  );
  expect(text).toBe('\ufeffid,name,population\r\nc,\'=cmd(),1301000\r\nd,"say ""a, b""",-1\r\n');
});

test("who is missing is read from every warning", () => {
  const headers = new Headers({
    "conurb-completeness": "40/42; count=sum",
    "conurb-copies": "wuxi; age=12",
  });
  headers.append("ngsild-warning", '199 hefei "no answer within 5 s"');
  headers.append("ngsild-warning", '199 tongling "refused, for now"');
  const said = completenessOf(headers);
  expect(said?.missing.map((one) => one.node)).toEqual(["hefei", "tongling"]);
  expect([said?.answered, said?.asked, said?.copies]).toEqual([
    40,
    42,
    [{ node: "wuxi", ageS: 12 }],
  ]);
  expect(completenessOf(new Headers())).toBeNull();
});

test("a query leaves out what is not given and encodes the rest", () => {
  expect(query({ a: null, b: "", c: "x&y", d: 0 })).toBe("?c=x%26y&d=0");
  expect(query({})).toBe("");
});

const EVOLUTION = {
  id: "urn:x",
  co2: [
    {
      type: "Property",
      datasetId: "urn:ngsi-ld:dataset:ceads:p",
      values: [
        [2, "2001-12-31T15:59:59Z"],
        [1, "2000-12-31T15:59:59Z"],
      ],
    },
    {
      type: "Property",
      values: [
        ["none", "2001-12-31T15:59:59Z"],
        [7, "2002-12-31T15:59:59Z"],
      ],
    },
  ],
} as const;

test("histories are kept apart by their source, in order of time, numbers alone", () => {
  expect(
    seriesOf(EVOLUTION, "co2").map(([key, points]) => [key, points.map((one) => one.value)]),
  ).toEqual([
    ["co2@ceads:p", [1, 2]],
    ["co2", [7]],
  ]);
  expect(readHistories([EVOLUTION], "co2@ceads:p").get("urn:x")).toHaveLength(2);
  expect([termOf("co2@ceads:p"), sourceOf("co2@ceads:p"), sourceOf("co2")]).toEqual([
    "co2",
    "ceads",
    null,
  ]);
});

test("the figure of a moment is the last one that was known then", () => {
  const points = readHistories([EVOLUTION], "co2@ceads:p").get("urn:x") ?? [];
  expect(pointAt(points, Date.parse("2001-06-01Z"))?.value).toBe(1);
  expect(pointAt(points, Date.parse("1999-06-01Z"))).toBeNull();
});

test("an object's statements, relations and name are read from its NGSI-LD", () => {
  const raw = {
    id: "urn:ngsi-ld:City:hefei:hefei",
    type: "City",
    name: { type: "LanguageProperty", languageMap: { zh: "合肥市", en: "Hefei" } },
    gdp: [
      {
        type: "Property",
        value: 5,
        unitCode: "CNY",
        datasetId: "urn:ngsi-ld:dataset:a:b",
        source: { type: "Property", value: "yearbook" },
      },
      { type: "Property", value: 6, simulated: { type: "Property", value: true } },
    ],
    isPartOf: { type: "Relationship", object: "urn:r" },
    hasPart: { type: "ListRelationship", objectList: ["urn:a", "urn:b"] },
    location: { type: "GeoProperty", value: { type: "Point", coordinates: [1, 2] } },
  };
  expect(
    statementsOf(raw).map((one) => [one.term, one.value, one.unit, one.source, one.simulated]),
  ).toEqual([
    ["name", { zh: "合肥市", en: "Hefei" }, null, null, false],
    ["gdp", 5, "CNY", "yearbook", false],
    ["gdp", 6, null, null, true],
  ]);
  expect(relationsOf(raw)).toEqual([
    { term: "isPartOf", ids: ["urn:r"] },
    { term: "hasPart", ids: ["urn:a", "urn:b"] },
  ]);
  expect(nameOf(raw)).toEqual({ zh: "合肥市", en: "Hefei" });
  expect([typeOfId(raw.id), shortId(raw.id), typeOfId("https://a/b")]).toEqual([
    "City",
    "hefei",
    null,
  ]);
});

test("an event of the stream has its position, its name and its lines", () => {
  expect(readEvent('id: 42\nevent: change\ndata: {"a":\ndata: 1}')).toEqual({
    id: "42",
    name: "change",
    data: '{"a":\n1}',
  });
  expect(readEvent(": still here")).toEqual({ id: null, name: "message", data: "" });
  expect(changesOf(readEvent("event: hello\ndata: {}"))).toEqual([]);
  const told = {
    features: [
      {
        type: "Feature",
        id: "urn:a",
        geometry: null,
        properties: { x: 1 },
        collections: ["Vehicle"],
        at: "2026-01-01T00:00:00Z",
      },
    ],
    gone: [{ id: "urn:b", collections: ["Vehicle"], at: "2026-01-01T00:00:01Z" }],
  };
  const changes = changesOf(readEvent(`id: 7\nevent: changes\ndata: ${JSON.stringify(told)}`));
  expect(changes.map(({ id, types, feature }) => [id, types, feature?.properties])).toEqual([
    ["urn:a", ["Vehicle"], { x: 1 }],
    ["urn:b", ["Vehicle"], undefined],
  ]);
});

describe("shapes", () => {
  const ring = [
    [0, 0],
    [4, 0],
    [4, 1],
    [1, 1],
    [1, 4],
    [0, 4],
    [0, 0],
  ];
  const bent: GeoJSON.Polygon = { type: "Polygon", coordinates: [ring] };

  test("a label stands inside of an area that is bent around its middle", () => {
    const at = labelPoint(bent);
    expect(at).not.toBeNull();
    expect(covers(bent, at ?? [9, 9])).toBe(true);
    expect(covers(bent, [2, 2])).toBe(false);
  });

  test("an area of several parts has its label on the largest", () => {
    const small = [
      [
        [10, 10],
        [10.1, 10],
        [10.1, 10.1],
        [10, 10],
      ],
    ];
    const at = labelPoint({ type: "MultiPolygon", coordinates: [small, [ring]] });
    expect(covers(bent, at ?? [9, 9])).toBe(true);
  });

  test("a degree of the equator is 111 km, and a box around a point holds its circle", () => {
    expect(distanceM([0, 0], [1, 0])).toBeCloseTo(111_195, -1);
    const [west, south, east, north] = boxAround([120, 31], 5_000);
    expect(distanceM([120, 31], [east, 31])).toBeGreaterThanOrEqual(4_999);
    expect(distanceM([120, 31], [120, north])).toBeGreaterThanOrEqual(4_999);
    expect(
      boxOf([
        {
          type: "MultiPoint",
          coordinates: [
            [west, south],
            [east, north],
          ],
        },
      ]),
    ).toEqual([west, south, east, north]);
  });
});

/** Relative luminance (WCAG 2.2). */
function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

describe("colours", () => {
  test.each(["light", "dark"] as const)("of a %s ramp get steadily darker or lighter", (theme) => {
    for (const count of [3, 5, 9]) {
      const steps = sequential(count, theme).map(luminance);
      const signs = steps.slice(1).map((one, at) => Math.sign(one - (steps[at] ?? 0)));
      expect(new Set(signs).size).toBe(1);
    }
    const low = diverging(3, 0, theme).map(luminance);
    const high = diverging(0, 3, theme).map(luminance);
    expect(Math.sign((low[0] ?? 0) - (low[2] ?? 0))).toBe(
      Math.sign((high[2] ?? 0) - (high[0] ?? 0)),
    );
  });

  test("of lines stand out from their ground at least 3 to 1", () => {
    const ground = { light: "#fdfdfb", dark: "#172027" };
    for (const theme of ["light", "dark"] as const) {
      for (const line of LINES[theme]) {
        const [a, b] = [luminance(line), luminance(ground[theme])].sort(
          (one, other) => other - one,
        );
        expect(((a ?? 0) + 0.05) / ((b ?? 0) + 0.05)).toBeGreaterThanOrEqual(3);
      }
    }
  });

  test("a ramp begins and ends with its first and last colour", () => {
    expect(ramp(["#102030", "#abcdef"], 3)[0]).toBe("#102030");
    expect(ramp(["#102030", "#abcdef"], 3)[2]).toBe("#abcdef");
  });
});

test("marks of an axis are round and hold every value", () => {
  const { least, most, ticks } = niceTicks([3, 47, 91]);
  expect([least, most]).toEqual([0, 100]);
  expect(ticks).toEqual([0, 20, 40, 60, 80, 100]);
});

test("correlation is 1 on a line, and none without variation", () => {
  expect(
    correlation([
      { x: 1, y: 2 },
      { x: 2, y: 4 },
      { x: 3, y: 6 },
    ]),
  ).toBeCloseTo(1, 12);
  expect(
    correlation([
      { x: 1, y: 2 },
      { x: 1, y: 4 },
      { x: 1, y: 6 },
    ]),
  ).toBeNull();
});
