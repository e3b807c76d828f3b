// What MapLibre is told to draw: valid, and no more than is seen.

import { createExpression, validateStyleMin } from "@maplibre/maplibre-gl-style-spec";
import { describe, expect, test } from "vitest";

import type { Feature } from "../../src/api/features";
import type { Form, LayerInfo } from "../../src/api/layers";
import { baseStyle, INKS } from "../../src/map/base";
import { drawn, sourcesOf, type SceneLayer } from "../../src/map/styling";

/** Pixels between the dots of a crowded tile, as the node makes them. */
const CELL_PX = 16;

function placed(form: Form, whole: boolean): SceneLayer {
  const layer: LayerInfo = {
    id: "things",
    type: "Thing",
    title: {},
    group: {},
    form,
    source: "",
    licence: "",
    geometry: "location",
    attribute: null,
    attributes: [],
    label: "name",
    q: null,
    classes: [],
    categorical: false,
    colour: "#2a6f97",
    provenance: "measured",
    freshS: null,
    visible: true,
    order: 0,
    aliases: [],
    collection: "Thing",
    items: "/ogc/collections/Thing/items",
    tiles: "/ogc/collections/Thing/tiles/WebMercatorQuad/{z}/{y}/{x}",
    bbox: null,
    time: null,
    count: whole ? 1 : 100_000,
  };
  const square: Feature = {
    type: "Feature",
    id: "urn:ngsi-ld:Thing:one:1",
    geometry: {
      type: "Polygon",
      coordinates: [
        [
          [0, 0],
          [1, 0],
          [1, 1],
          [0, 0],
        ],
      ],
    },
    properties: { name: "one" },
  };
  const tiles = whole ? null : `http://node${layer.tiles}`;
  return { layer, opacity: 80, features: whole ? [square] : null, tiles, colours: null, live: [] };
}

const FORMS: readonly Form[] = ["fill", "line", "circle", "choropleth"];

describe.each(FORMS)("a layer of the form %s", (form) => {
  test.each([true, false])("is valid style, whole: %s", (whole) => {
    const one = placed(form, whole);
    (globalThis as { location?: unknown }).location ??= { href: "http://node/" };
    const style = baseStyle("light", "en");
    const errors = validateStyleMin({
      ...style,
      sources: { ...style.sources, ...sourcesOf(one, undefined) },
      layers: [...style.layers, ...drawn(one, "light", INKS.light)],
    });
    expect(errors.map(({ message }) => message)).toEqual([]);
  });

  test("asks nothing of the state of objects that came whole but marks and colours", () => {
    const said = JSON.stringify(drawn(placed(form, true), "light", INKS.light));
    expect(said).not.toContain('"moved"');
  });
});

test("areas that came whole have no outline drawn of each, those of tiles do", () => {
  const ids = (whole: boolean): string[] =>
    drawn(placed("choropleth", whole), "light", INKS.light).map(({ id }) => id);
  expect(ids(true).some((id) => id.endsWith(":mark"))).toBe(false);
  expect(ids(false).some((id) => id.endsWith(":mark"))).toBe(true);
});

test.each([5, 8, 12])("a dot of very many leaves room to its neighbours at zoom %d", (zoom) => {
  const [dot] = drawn(placed("circle", false), "light", INKS.light);
  if (dot?.type !== "circle") throw new Error("not a circle");
  const compiled = createExpression(dot.paint?.["circle-radius"], "layers[0].paint.circle-radius");
  if (compiled.result === "error") throw new Error(JSON.stringify(compiled.value));
  const radius = (properties: Record<string, number>): number =>
    compiled.value.evaluate({ zoom }, { type: "Point", properties }, {}) as number;
  const few = radius({ point_count: 2 });
  expect(few).toBeGreaterThan(radius({}));
  expect(radius({ point_count: 100 })).toBeGreaterThan(few);
  expect(radius({ point_count: 100 })).toBeLessThanOrEqual(CELL_PX / 2);
});
