// For everybody: axe finds nothing, the keyboard reaches everything, a phone has it all, motion can rest.

import { expect, judged, open, param, test } from "./page";

const HEFEI = "urn:ngsi-ld:City:hefei:hefei";

test("axe finds nothing in any panel, theme and language", async ({ page }) => {
  await open(page, `?select=${HEFEI}`);
  expect(await judged(page)).toEqual([]);
  const parts = [
    ["x", "compare"],
    ["d", "export"],
    ["s", "share"],
    ["m", "near"],
    ["h", "health"],
    ["t", "table"],
  ] as const;
  for (const [key, panel] of parts) {
    await page.keyboard.press(key);
    await expect.poll(() => param(page, "panel")).toBe(panel);
    await page.waitForTimeout(250);
    expect(await judged(page), panel).toEqual([]);
    // Each panel is judged in another theme and, every second one, in the other language.
    await page.keyboard.press("b");
    if (panel === "export" || panel === "near") await page.keyboard.press("g");
  }
  await page.getByRole("rowheader", { name: "Anqing" }).getByRole("button").click();
  await expect(page.getByRole("heading", { name: "Anqing" })).toBeVisible();
  await page.keyboard.press("c");
  await page.getByRole("button", { name: "Scatter" }).click();
  await page.getByRole("button", { name: /Quantiles · 5/ }).click();
  await page.getByRole("button", { name: "Details of Cities" }).click();
  expect(await judged(page)).toEqual([]);
  await page.keyboard.press("?");
  expect(await judged(page)).toEqual([]);
});

test("everything is reached by the keyboard alone", async ({ page }) => {
  await open(page);
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the map" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("Map of Yangtze River Delta")).toBeFocused();
  await page.keyboard.press("n");
  await page.keyboard.press("n");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("region", { name: "Object" })).toBeVisible();
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog")).toContainText("Play or pause the clock");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
  for (const [key, name] of [
    ["t", "Table"],
    ["x", "Compare"],
    ["d", "Download"],
    ["s", "Share"],
    ["h", "Region health"],
    ["m", "Near me"],
    ["c", "Chart"],
  ] as const) {
    await page.keyboard.press(key);
    await expect(page.getByRole("region", { name, exact: true })).toBeVisible();
  }
  await page.keyboard.press("Escape");
  await page.keyboard.press(",");
  await expect.poll(() => param(page, "time")).toBe("2023");
  await page.keyboard.press("0");
  await expect.poll(() => param(page, "time")).toBeNull();
  await page.keyboard.press("b");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});

test.describe("on a phone", () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

  test("every tool is in reach, and a sheet opens, grows and closes", async ({ page }) => {
    await open(page);
    expect(await judged(page)).toEqual([]);
    await page.getByRole("button", { name: /Resident population · 2023/ }).tap();
    await expect(page.locator("[data-layer=cities]")).toBeVisible();
    const sheet = page.getByRole("region", { name: "Layers" });
    const low = (await sheet.boundingBox())?.height ?? 0;
    await page.getByRole("button", { name: "Make the panel taller" }).tap();
    await expect
      .poll(async () => (await sheet.boundingBox())?.height ?? 0)
      .toBeGreaterThan(low * 1.3);
    expect(await judged(page)).toEqual([]);
    await page.getByRole("button", { name: "Close" }).tap();
    await page.getByRole("button", { name: "More" }).tap();
    await page.getByRole("button", { name: "Region health" }).tap();
    await expect(page.getByText("All 41 nodes answer.")).toBeVisible();
    await page.getByRole("button", { name: "Near me" }).tap();
    await expect(page.getByRole("button", { name: "Show what is near" })).toBeVisible();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide).toBeLessThanOrEqual(390);
  });

  test("what can be touched is large enough", async ({ page }) => {
    await open(page);
    const small = await page.getByRole("button").evaluateAll((all) =>
      all
        .map((one) => ({ box: one.getBoundingClientRect(), name: one.textContent }))
        .filter(({ box }) => box.width > 0 && (box.width < 24 || box.height < 24))
        .map(({ name }) => name),
    );
    expect(small).toEqual([]);
  });
});

test("at twice the size nothing is cut off", async ({ page }) => {
  await page.setViewportSize({ width: 640, height: 480 });
  await open(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(640);
  await expect(page.getByRole("button", { name: "Layers" })).toBeVisible();
});
