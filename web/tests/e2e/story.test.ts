// As a new user would: the Delta is there, and in a minute Tongling is found, set against Hefei, shared
// and downloaded.

import { readFileSync } from "node:fs";

import { drawn, expect, open, param, test } from "./page";

test("a newcomer finds Tongling, sees its CO2 since 2000 against Hefei's, shares it, and takes the table", async ({
  page,
  context,
}) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await open(page);
  await expect(page.getByText("Yangtze River Delta").first()).toBeVisible();
  await expect(page.getByRole("group", { name: "Legend" })).toContainText("2023");
  await expect(page.getByRole("slider", { name: "Time of the map" })).toBeVisible();

  await page.keyboard.press("/");
  await page.keyboard.type("tongl");
  await expect(page.getByRole("option", { name: /Tongling/ }).first()).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Tongling" })).toBeVisible();
  expect(param(page, "select")).toBe("urn:ngsi-ld:City:tongling:tongling");

  await page.getByRole("combobox", { name: "History" }).selectOption({ label: "CO2 emissions" });
  await page.getByRole("combobox", { name: "Add a city" }).selectOption({ label: "Hefei" });
  const chart = page.getByRole("img", {
    name: /History of CO2 emissions: 4 lines from 2000 to 2023/,
  });
  await expect(chart).toBeVisible();
  await page.getByRole("button", { name: "Show as a table" }).click();
  const row = page.getByRole("row", { name: /^2000/ });
  await expect(row).toContainText("t");
  await expect(page.getByRole("columnheader", { name: /Hefei · edgar-v8/ })).toBeVisible();

  await page.keyboard.press("s");
  await page.getByRole("button", { name: "Copy the link" }).click();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  expect(link).toContain("attribute=co2");

  const [other] = await Promise.all([context.newPage(), page.keyboard.press("t")]);
  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "CSV" }).click();
  const text = readFileSync(await (await saved).path(), "utf8");
  expect(text.split("\r\n")).toHaveLength(43);
  expect(text).toContain("Tongling");

  await other.goto(link);
  await drawn(other);
  await expect(other.getByRole("heading", { name: "Tongling" })).toBeVisible();
  await expect(other.getByRole("img", { name: /History of CO2 emissions: 4 lines/ })).toBeVisible();
  await other.close();
});

test("a link shows what was seen: time, indicator, classes, language, theme, side and place", async ({
  page,
}) => {
  await open(
    page,
    "?indicator=co2@ceads:prefecture&time=2010&scheme=jenks&classes=4&lang=zh&theme=dark&view=118,31,7",
  );
  const legend = page.getByRole("group", { name: "图例" });
  await expect(legend).toContainText("2010年");
  await expect(legend.getByRole("listitem")).toHaveCount(4);
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await expect(page.locator("html")).toHaveAttribute("lang", "zh-Hans");
  await expect(page.getByRole("combobox", { name: "着色" })).toHaveValue("co2@ceads:prefecture");
  await page.keyboard.press("g");
  await expect(page.getByRole("group", { name: "Legend" })).toContainText("2010");
  await expect.poll(() => param(page, "lang")).toBe("en");
});

test("a link to a layer that isn't there says so and shows the rest", async ({ page }) => {
  await open(page, "?layers=cities,moon-bases&wealth=9");
  const notice = page.getByRole("status").filter({ hasText: "moon-bases" });
  await expect(notice).toContainText("wealth");
  await expect(page.locator("[data-layer=cities]")).toBeVisible();
  await notice.getByRole("button").click();
  await expect(notice).toBeHidden();
});

test("the browser's back button takes a choice back", async ({ page }) => {
  await open(page);
  await page.getByRole("button", { name: /1 Shanghai/ }).click();
  await expect(page.getByRole("heading", { name: "Shanghai" })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole("heading", { name: "Shanghai" })).toBeHidden();
  expect(param(page, "select")).toBeNull();
});
