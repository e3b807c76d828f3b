// The panels: an object in full, the table, downloads, health, near me, sharing; and their other states.

import { readFileSync } from "node:fs";

import { expect, open, param, test } from "./page";

const HEFEI = "urn:ngsi-ld:City:hefei:hefei";

test("an object's page has its attributes, relations, raw form, and calls that work", async ({
  page,
  request,
  baseURL,
}) => {
  await open(page, `?select=${HEFEI}&panel=object`);
  const panel = page.getByRole("region", { name: "Object", exact: true });
  await expect(panel.getByText("Administrative code")).toBeVisible();
  await expect(panel.getByText("340100")).toBeVisible();
  await panel.getByRole("link", { name: "yrd" }).click();
  await expect.poll(() => param(page, "select")).toBe("urn:ngsi-ld:Region:yrd:yrd");
  await page.goBack();
  await panel.getByRole("button", { name: "NGSI-LD" }).click();
  await expect(panel.getByRole("region", { name: "NGSI-LD" })).toContainText('"languageMap"');
  await panel.getByRole("button", { name: "As a call" }).click();
  await panel.getByRole("button", { name: "Python" }).click();
  await expect(panel.locator("pre")).toContainText("conurb.connect");
  await panel.getByRole("button", { name: "Address" }).click();
  const address = (await panel.locator("pre").textContent()) ?? "";
  expect(address.startsWith(baseURL ?? "-")).toBe(true);
  expect((await request.get(address)).ok()).toBe(true);
});

test("the table sorts, filters, and shares the selection with the map", async ({ page }) => {
  await open(page, "?panel=table");
  const table = page.getByRole("table");
  await expect(table).toHaveAttribute("aria-rowcount", "41");
  await page.getByRole("button", { name: /^Resident population/ }).click();
  await page.getByRole("button", { name: /^Resident population/ }).click();
  await expect(table.getByRole("rowheader").first()).toHaveText("Shanghai");
  await page.getByRole("searchbox", { name: "Filter" }).fill("population > 9000000");
  await expect(page.getByRole("status").filter({ hasText: "8 of 41 rows" })).toBeVisible();
  await page.getByRole("cell", { name: "310000" }).click();
  await expect.poll(() => param(page, "select")).toContain("shanghai");
  await page.getByRole("searchbox", { name: "Filter" }).fill("wealth > 3");
  await expect(page.getByText("is no condition")).toBeVisible();
  expect([param(page, "sort"), param(page, "panel")]).toEqual(["-population", "table"]);
});

test("a layer comes whole as CSV, GeoJSON and GeoParquet, yearly figures as one file, the map as PNG", async ({
  page,
}) => {
  await open(page, "?panel=export&time=2010");
  const taken = async (name: string | RegExp): Promise<Buffer> => {
    const saved = page.waitForEvent("download");
    await page.getByRole("region", { name: "Download" }).getByRole("button", { name }).click();
    return readFileSync(await (await saved).path());
  };
  const csv = (await taken("Download")).toString();
  expect(csv.trim().split("\n")).toHaveLength(42);
  await page.getByRole("button", { name: "GeoJSON" }).click();
  const { features } = JSON.parse((await taken("Download")).toString()) as {
    features: { properties: { name: string; population: number } }[];
  };
  expect(features).toHaveLength(41);
  // The state of 2010, as the clock says.
  expect(
    features.find((one) => one.properties.name === "Shanghai")?.properties.population,
  ).toBeLessThan(24_000_000);
  await page.getByRole("button", { name: "GeoParquet" }).click();
  expect((await taken("Download")).subarray(0, 4).toString()).toBe("PAR1");
  const lines = (await taken(/Yearly figures/)).toString().trim().split("\r\n");
  expect(lines.length).toBeGreaterThan(41 * 24 * 5);
  expect(lines.some((line) => line.includes("Tongling") && line.includes("co2@edgar-v8"))).toBe(
    true,
  );
  const picture = await taken("PNG of the map");
  expect(picture.subarray(1, 4).toString()).toBe("PNG");
  expect(picture.length).toBeGreaterThan(50_000);
});

test("region health lists every node", async ({ page }) => {
  await open(page, "?panel=health");
  const panel = page.getByRole("region", { name: "Region health" });
  await expect(panel.getByText("All 41 nodes answer.")).toBeVisible();
  await expect(panel.getByRole("row")).toHaveCount(42);
});

test("a node that is silent is named on the map, not shown as empty", async ({ page }) => {
  await page.route("**/ogc/collections/City/items*", async (route) => {
    const response = await route.fetch();
    const body = (await response.json()) as { features: { id: string }[] };
    body.features = body.features.filter((one) => !one.id.includes("tongling"));
    const headers = {
      ...response.headers(),
      "conurb-completeness": "41/42",
      "ngsild-warning": '199 tongling "no answer within 5 s"',
    };
    await route.fulfill({ response, json: body, headers });
  });
  await open(page);
  await page.getByRole("button", { name: /Not shown: tongling/ }).click();
  await expect(page.getByRole("region", { name: "Region health" })).toContainText(
    "1 of 41 nodes do not answer",
  );
});

test("what is slow says so, what fails says why and can be tried again", async ({
  page,
  visit,
}) => {
  visit.expected.push(/503/, /Service Unavailable/);
  let fail = true;
  let answer = (): void => undefined;
  const held = new Promise<void>((resolve) => (answer = resolve));
  await page.route("**/ngsi-ld/v1/temporal/entities*", async (route) => {
    await held;
    if (fail)
      await route.fulfill({
        status: 503,
        json: { title: "Unavailable", detail: "the disk is full" },
      });
    else await route.continue();
  });
  await page.goto("/");
  await expect(page.getByText("Still loading").first()).toBeVisible();
  answer();
  await expect(page.getByText("The node failed at this: the disk is full").first()).toBeVisible();
  fail = false;
  await page.getByRole("button", { name: "Try again" }).first().click();
  await expect(page.getByRole("group", { name: "Legend" })).toBeVisible();
});

test("a node that says nothing of layers, and one that can't be reached, have their own words", async ({
  page,
  visit,
}) => {
  visit.expected.push(/ERR_FAILED/, /Failed to load resource/);
  await page.route("**/map/layers", (route) => route.fulfill({ json: { region: {}, layers: [] } }));
  await page.goto("/");
  await expect(page.getByText("This node says nothing of layers yet.")).toBeVisible();
  await page.unroute("**/map/layers");
  await page.route("**/map/layers", (route) => route.abort());
  await page.goto("/");
  await expect(page.getByText("The node can't be reached.").first()).toBeVisible();
});

test("near me names the city around a position that the browser gives", async ({
  page,
  context,
}) => {
  await context.grantPermissions(["geolocation"]);
  await context.setGeolocation({ latitude: 30.95, longitude: 117.81 });
  await open(page, "?panel=near");
  await page.getByRole("button", { name: "Show what is near" }).click();
  await expect(page.getByRole("button", { name: "You are in Tongling" })).toBeVisible();
});

test("the page to embed is the map with its clock, and leads to the whole", async ({ page }) => {
  await open(page, "?embed=1&indicator=gdpConstant2000&time=2015");
  await expect(page.getByRole("link", { name: /Open the full map/ })).toBeVisible();
  await expect(page.getByRole("search")).toHaveCount(0);
  await expect(page.getByText("GDP at constant prices of 2000 · 2015")).toBeVisible();
  await expect(page.getByRole("slider", { name: "Time of the map" })).toBeVisible();
});

test("a region that wants a token is asked with the one that is entered, in this tab alone", async ({
  page,
  visit,
}) => {
  visit.expected.push(/401/, /Unauthorized/);
  const tokens: (string | undefined)[] = [];
  await page.route("**/map/layers", async (route) => {
    const given = route.request().headers()["authorization"];
    tokens.push(given);
    if (given === "Bearer open-sesame") await route.continue();
    else
      await route.fulfill({
        status: 401,
        json: { title: "Unauthenticated", detail: "a token is needed" },
      });
  });
  await page.goto("/");
  await page.getByRole("textbox", { name: "Token" }).fill("open-sesame");
  await page.getByRole("button", { name: "Enter" }).click();
  await expect(page.locator("[data-layer=cities]")).toBeVisible();
  expect(tokens).toEqual([undefined, "Bearer open-sesame"]);
  expect(await page.evaluate(() => [localStorage.length, document.cookie])).toEqual([0, ""]);
});

test("without WebGL the page says so, and everything but the map works", async ({
  page,
  visit,
}) => {
  visit.expected.push(/WebGL/i);
  await page.addInitScript(() => {
    const own = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (
      this: HTMLCanvasElement,
      kind: string,
      ...more: unknown[]
    ) {
      return kind.startsWith("webgl") ? null : Reflect.apply(own, this, [kind, ...more]);
    } as typeof own;
  });
  await page.goto("/");
  await expect(page.getByText("The map needs WebGL")).toBeVisible();
  await page.getByRole("button", { name: /1 Shanghai/ }).click();
  await expect(page.getByRole("heading", { name: "Shanghai" })).toBeVisible();
});
