// Every text is in both catalogues, each is used, and none stands in the page itself.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { parse } from "svelte/compiler";
import { expect, test } from "vitest";

import { en } from "../../src/i18n/en";
import { zh } from "../../src/i18n/zh";

const SOURCE = join(import.meta.dirname, "../../src");
const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).map((name) =>
  join(SOURCE, name),
);
const components = files.filter((name) => name.endsWith(".svelte"));
const SAID = new Set([
  "aria-label",
  "aria-valuetext",
  "aria-roledescription",
  "alt",
  "placeholder",
  "title",
  "label",
]);
/** Marks that mean the same to everybody. */
const MARKS = /[\s·–—:/,.%()+×✕▸▾▴⇔↑↓←→−"']|ms/g;

function placesIn(text: string): string[] {
  return [...text.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name).sort();
}

test("both catalogues have the same texts with the same parts", () => {
  expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
  for (const [key, text] of Object.entries(en)) {
    expect(placesIn(zh[key as keyof typeof zh]), key).toEqual(placesIn(text));
  }
});

test("no text is the same in both, but names", () => {
  const names = [
    "app.name",
    "object.raw",
    "object.curl",
    "object.python",
    "export.csv",
    "export.geojson",
    "export.geoparquet",
  ];
  const same = Object.entries(en).filter(
    ([key, text]) => /[a-z]{2}/i.test(text) && text === zh[key as keyof typeof zh],
  );
  expect(
    same.map(([key]) => key).filter((key) => !key.startsWith("unit.") && !names.includes(key)),
  ).toEqual([]);
});

test("every text is used", () => {
  const all = files.filter(
    (name) => /\.(ts|svelte)$/.test(name) && !/i18n\/(en|zh)\.ts$/.test(name),
  );
  const source = all.map((name) => readFileSync(name, "utf8")).join("\n");
  const unused = Object.keys(en).filter(
    (key) => !/^(unit)\./.test(key) && !source.includes(`"${key}"`),
  );
  expect(unused).toEqual([]);
});

/** Texts that a reader meets in a part of a component: between tags, and in attributes that are read out. */
function* textsIn(node: unknown): Generator<string> {
  if (Array.isArray(node)) {
    for (const one of node) yield* textsIn(one);
    return;
  }
  if (typeof node !== "object" || node === null) return;
  const { type, name, data, ...rest } = node as Record<string, unknown>;
  if (type === "Text") yield String(data);
  const silent = type === "StyleDirective" || (type === "Attribute" && !SAID.has(String(name)));
  if (!silent) for (const value of Object.values(rest)) yield* textsIn(value);
}

test.each(components.map((name) => name.slice(SOURCE.length + 1)))(
  "%s has no text of its own",
  (name) => {
    const { fragment } = parse(readFileSync(join(SOURCE, name), "utf8"), { modern: true });
    expect([...textsIn(fragment)].filter((one) => one.replace(MARKS, "") !== "")).toEqual([]);
  },
);
