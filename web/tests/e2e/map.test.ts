// Layers, colours, the clock, comparison, charts and the map itself.

import { expect, open, param, test } from "./page";

test("colours follow the indicator, the classes, the divisor and the reference", async ({
  page,
}) => {
  await open(page);
  const legend = page.getByRole("group", { name: "Legend" });
  await expect(legend.getByRole("listitem")).toHaveCount(5);
  await page
    .getByRole("combobox", { name: "Colour by" })
    .selectOption("gdp@yearbooks-real:prefecture");
  await expect(legend).toContainText("yuan");
  await page.getByRole("button", { name: /Quantiles · 5/ }).click();
  await page.getByRole("combobox", { name: "Divided by" }).selectOption("person");
  await expect(page.getByRole("heading", { name: /per person/ })).toBeVisible();
  const first = await legend.textContent();
  await page.getByRole("combobox", { name: "Classes by" }).selectOption("equal");
  await expect(legend).not.toHaveText(first ?? "");
  await page.getByRole("combobox", { name: "Number" }).selectOption("7");
  await expect(legend.getByRole("listitem")).toHaveCount(7);
  await page.getByRole("combobox", { name: "Around" }).selectOption("median");
  await expect(legend.getByText(/^Around/)).toBeVisible();
  await expect.poll(() => param(page, "reference")).toBe("median");
  expect([param(page, "per"), param(page, "scheme"), param(page, "classes")]).toEqual([
    "person",
    "equal",
    "7",
  ]);
});

test("the clock plays, steps, and follows now again", async ({ page }) => {
  await open(page);
  const legend = page.getByRole("group", { name: "Legend" });
  const slider = page.getByRole("slider", { name: "Time of the map" });
  await slider.focus();
  await page.keyboard.press("Home");
  await expect(legend).toContainText("Figures of 2000");
  await page.keyboard.press("ArrowRight");
  await expect(legend).toContainText("Figures of 2001");
  await expect(slider).toHaveAttribute("aria-valuetext", "2001");
  await page.getByRole("button", { name: "Play" }).click();
  await expect(legend).toContainText("Figures of 2003", { timeout: 8_000 });
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Now", exact: true }).click();
  await expect(legend).toContainText("2023, the latest");
  await expect.poll(() => param(page, "time")).toBeNull();
});

test("the clock says where a layer has data, and a layer can be held at its own time", async ({
  page,
}) => {
  await open(page, "?indicator=industrialSO2&time=2015");
  await expect(page.getByRole("region", { name: "Clock" })).toContainText(
    /Cities: data from .*2011.* to .*2019/,
  );
  await page.getByRole("button", { name: "Details of Cities" }).click();
  await page.getByRole("button", { name: "Hold at 2015" }).click();
  await expect.poll(() => param(page, "layers")).toBe("cities@2015");
  await page.getByRole("button", { name: "One step forward" }).click();
  await expect(page.getByRole("group", { name: "Legend" })).toContainText("Figures of 2015");
  await page.getByRole("button", { name: "Follow the clock again" }).click();
  await expect(page.getByRole("group", { name: "Legend" })).toContainText("Figures of 2016");
});

test("layers are turned on, moved, dimmed and turned off", async ({ page }) => {
  await open(page);
  await page.getByRole("button", { name: "Region 1" }).click();
  await expect(page.locator("[data-layer]")).toHaveCount(2);
  await expect(page.locator("[data-layer]").first()).toHaveAttribute("data-layer", "region");
  await page.getByRole("button", { name: "Details of Region" }).click();
  await page.getByRole("button", { name: "Move Region down" }).click();
  await expect(page.locator("[data-layer]").first()).toHaveAttribute("data-layer", "cities");
  await page.getByRole("slider", { name: "Opacity of Region" }).fill("40");
  await expect.poll(() => param(page, "layers")).toBe("cities,region:40");
  await page.getByRole("checkbox", { name: "Hide Region" }).click();
  await page.getByRole("checkbox", { name: "Hide Cities" }).click();
  await expect(page.getByText("No layer is on.")).toBeVisible();
});

test("an object is chosen on the map, and a second one beside it with Shift", async ({ page }) => {
  await open(page, "?view=117,31.5,7&panel=share");
  const map = page.locator("#map canvas");
  const { width = 0, height = 0 } = (await map.boundingBox()) ?? {};
  const at = (dx: number, dy: number): { x: number; y: number } => ({
    x: width / 2 + dx,
    y: height / 2 + dy,
  });
  await map.click({ position: at(55, -75) });
  await expect(page.getByRole("heading", { name: "Hefei" })).toBeVisible();
  await map.click({ position: at(-127, -20), modifiers: ["Shift"] });
  await expect
    .poll(() => param(page, "select"))
    .toBe("urn:ngsi-ld:City:hefei:hefei,urn:ngsi-ld:City:luan:luan");
});

test("an area is outlined under the pointer and when it is chosen, and no longer after", async ({
  page,
}) => {
  await open(page, "?view=117,31.5,7&panel=share");
  const map = page.locator("#map canvas");
  const { x = 0, y = 0, width = 0, height = 0 } = (await map.boundingBox()) ?? {};
  const hefei = { x: width / 2 + 55, y: height / 2 - 75 };
  // The north-west of the area: what is said at the pointer stands to its south-east.
  const clip = { x: x + hefei.x - 90, y: y + hefei.y - 90, width: 85, height: 85 };
  const seen = async (): Promise<string> => (await page.screenshot({ clip })).toString("base64");
  const plain = await seen();
  await map.hover({ position: hefei });
  await expect.poll(seen).not.toBe(plain);
  const hovered = await seen();
  await map.click({ position: hefei });
  await expect.poll(seen).not.toBe(hovered);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await expect.poll(() => param(page, "select")).toBeNull();
  await page.mouse.move(5, 5);
  await expect.poll(seen).toBe(plain);
});

test("an object that changes moves on the map without a reload, and one that is gone leaves it", async ({
  page,
  request,
}) => {
  const id = "urn:ngsi-ld:Vehicle:shanghai:one";
  const headers = { "NGSILD-Tenant": "shanghai" };
  const place = (coordinates: number[]): object => ({
    type: "GeoProperty",
    value: { type: "Point", coordinates },
  });
  const made = await request.post("/ngsi-ld/v1/entities", {
    headers,
    data: {
      id,
      type: "https://smartdatamodels.org/dataModel.Transportation/Vehicle",
      location: place([122, 30.5]),
    },
  });
  expect(made.status()).toBe(201);
  await page.goto("/?view=122.5,31,9");
  const followed = page.waitForResponse(/\/live/);
  await page.getByRole("button", { name: /Vehicle 1/ }).click();
  await expect(page.locator("[data-layer=vehicle]")).toBeVisible();
  await followed;
  await request.patch(`/ngsi-ld/v1/entities/${id}/attrs`, {
    headers,
    data: { location: place([122.5, 31]) },
  });
  await expect(page.locator("[data-layer=vehicle] .badge")).toHaveText("live");
  const map = page.locator("#map canvas");
  const { width = 0, height = 0 } = (await map.boundingBox()) ?? {};
  await expect(async () => {
    await map.click({ position: { x: width / 2, y: height / 2 } });
    expect(param(page, "select")).toBe(id);
  }).toPass({ timeout: 15_000 });
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await request.delete(`/ngsi-ld/v1/entities/${id}`, { headers });
  await expect(async () => {
    await map.hover({ position: { x: width / 2 + 3, y: height / 2 } });
    await map.hover({ position: { x: width / 2, y: height / 2 } });
    await expect(page.locator(".tip")).toBeHidden({ timeout: 500 });
  }).toPass({ timeout: 15_000 });
});

test("a swipe shows two times in the same classes, and its divider moves by the keyboard", async ({
  page,
}) => {
  await open(page, "?indicator=gdpConstant2000&panel=compare");
  await page.getByRole("button", { name: "Another time" }).click();
  await page.getByRole("combobox", { name: "Time on the right" }).selectOption("2005");
  const divider = page.getByRole("slider", { name: "Divider between the two maps" });
  await expect(divider).toHaveAttribute("aria-valuenow", "50");
  await expect(page.locator("#map ~ .swipe canvas")).toHaveCount(1);
  await divider.focus();
  await page.keyboard.press("ArrowLeft");
  await expect(divider).toHaveAttribute("aria-valuenow", "48");
  await expect
    .poll(() => [param(page, "compare"), param(page, "split")])
    .toEqual(["time:2005", "48"]);
  await page.getByRole("combobox", { name: "Add a city" }).selectOption({ label: "Hefei" });
  await page.getByRole("combobox", { name: "Add a city" }).selectOption({ label: "Wuxi" });
  await expect(page.getByRole("row", { name: /Change/ })).toContainText("%");
  await expect(page.getByRole("columnheader", { name: "Wuxi" })).toBeVisible();
});

test("charts follow the map: a ranking, lines through time, a scatter", async ({ page }) => {
  await open(page, "?indicator=co2@edgar-v8:prefecture&time=2010");
  const chart = page.getByRole("region", { name: "Chart" });
  await expect(chart.getByRole("listitem")).toHaveCount(41);
  const first = await chart.getByRole("listitem").first().textContent();
  await page.getByRole("button", { name: "One step forward" }).click();
  await expect(chart.getByRole("listitem").first()).not.toHaveText(first ?? "");
  await chart.getByRole("button", { name: "Over time" }).click();
  await expect(chart.getByRole("img", { name: /1 lines from 2000 to 2023/ })).toBeVisible();
  await chart.getByRole("button", { name: "Scatter" }).click();
  await expect(chart.locator("circle")).toHaveCount(41);
  await expect(chart.getByText(/Correlation 0\.\d\d, 41 cities/)).toBeVisible();
});

test("coordinates, indicators and layers are found, in either language", async ({ page }) => {
  await open(page);
  const box = page.getByRole("combobox", { name: /Search cities/ });
  await box.fill("31.23, 121.47");
  await page.getByRole("option", { name: /Go to 31.23, 121.47/ }).click();
  await expect
    .poll(() => param(page, "view"), { timeout: 20_000 })
    .toMatch(/^121\.4\d*,31\.2\d*,1[01]/);
  await box.fill("合肥");
  await expect(page.getByRole("option", { name: /Hefei/ }).first()).toBeVisible();
  await box.fill("co2");
  await page.getByRole("option", { name: /CO2 emissions · ceads 2000 to/ }).click();
  await expect(page.getByRole("combobox", { name: "Colour by" })).toHaveValue(
    "co2@ceads:prefecture",
  );
  await box.fill("nowhere at all");
  await expect(page.getByText(/Nothing is called/)).toBeVisible();
});
