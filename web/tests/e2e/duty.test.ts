// The duty desk, against a region that warns: what cities say becomes an event, is acknowledged, released,
// withdrawn; the log has it all. Each test has a kind of happening of its own.

import { readFileSync } from "node:fs";

import type { APIRequestContext, Locator, Page } from "@playwright/test";

import { expect, judged, open, param, test } from "./page";

/** Warn of something by a city's own desk; gives the alert's id. */
async function warn(
  request: APIRequestContext,
  city: string,
  kind: string,
  headline: string,
): Promise<string> {
  const made = await request.post(`/tenants/${city}/warnings/issue`, {
    data: {
      kind,
      severity: "Severe",
      headline: { en: headline, zh: `${headline}预警` },
      description: { en: "It goes on until the evening.", zh: "将持续到傍晚。" },
      cities: [city],
      actor: "Zhao",
    },
  });
  expect(made.status(), await made.text()).toBe(201);
  return ((await made.json()) as { id: string }).id;
}

function deskOf(page: Page): Locator {
  return page.getByRole("region", { name: "Duty desk" });
}

async function begin(page: Page, query = ""): Promise<Locator> {
  await open(page, `?panel=duty${query}`);
  const desk = deskOf(page);
  await expect(desk.getByRole("status").filter({ hasText: "active" })).toBeVisible();
  return desk;
}

async function feedOf(request: APIRequestContext, city: string): Promise<string> {
  return (await request.get(`/warnings/feed.atom?city=${city}`)).text();
}

test("an event appears by itself, is acknowledged, released to two cities, an alert cancelled; the log has all", async ({
  page,
  request,
}) => {
  const desk = await begin(page);
  const mistaken = await warn(request, "wuxi", "rainfall", "Rain over Wuxi");
  const event = desk.getByRole("button", { name: /^Heavy rain/ });
  await expect(event).toContainText("Wuxi");
  await warn(request, "suzhou-jiangsu", "rainfall", "Rain over Suzhou");
  await expect(event).toContainText("alerts in force: 2");
  await expect(event).toContainText("Suzhou (Jiangsu) and Wuxi");
  await expect(event).toContainText("Not acknowledged");

  await event.click();
  const id = param(page, "select") ?? "";
  expect(id).toContain("urn:ngsi-ld:RegionalEvent:");
  await expect.poll(() => param(page, "view")).toMatch(/^1(19|20)\.\d+,31\./);

  await desk.getByRole("button", { name: "Acknowledge", exact: true }).click();
  await desk.getByRole("button", { name: "Check what goes out" }).click();
  await expect(desk.getByRole("alert")).toHaveText(/Write your name/);
  await desk.getByRole("textbox", { name: "Your name" }).fill("Li Na");
  await desk.getByRole("button", { name: "Check what goes out" }).click();
  await expect(desk.getByText("No message goes to cities.")).toBeVisible();
  await desk.getByRole("form").getByRole("button", { name: "Acknowledge", exact: true }).click();
  await expect(desk.getByRole("status").filter({ hasText: "is acknowledged" })).toBeVisible();
  await expect(event).toContainText("Acknowledged by Li Na");

  await desk.getByRole("button", { name: "Release to cities" }).click();
  await expect(desk.getByRole("checkbox", { checked: true })).toHaveCount(2);
  await desk.getByRole("button", { name: "None" }).click();
  await desk.getByRole("checkbox", { name: "Shanghai" }).check();
  await desk.getByRole("checkbox", { name: "Nantong" }).check();
  await desk.getByRole("textbox", { name: /^Note/ }).fill("downwind");
  await desk.getByRole("button", { name: "Check what goes out" }).click();
  await expect(desk.getByRole("form")).toContainText("2 now, and those that join it");
  await expect(desk.getByRole("form")).toContainText("Shanghai and Nantong");
  await desk.getByRole("button", { name: "Release to cities (2)" }).click();
  await expect(desk.getByText("Released to Shanghai and Nantong", { exact: true })).toBeVisible();
  expect(await feedOf(request, "shanghai")).toContain("Rain over Wuxi");
  expect(await feedOf(request, "hefei")).not.toContain("Rain over Wuxi");

  await desk.getByRole("button", { name: /^Rain over Wuxi/ }).click();
  await expect.poll(() => param(page, "select")).toBe(`${mistaken},${id}`);
  await desk.getByRole("button", { name: "Cancel", exact: true }).click();
  await desk.getByRole("button", { name: "Check what goes out" }).click();
  await expect(desk.getByRole("form")).toContainText("in the name of local@wuxi");
  await expect(desk.getByRole("form")).toContainText("leaves the feeds of Wuxi, Shanghai");
  await desk.getByRole("form").getByRole("button", { name: "Cancel", exact: true }).click();
  await expect(desk.getByText("“Rain over Wuxi” is cancelled.")).toBeVisible();
  expect(await feedOf(request, "shanghai")).not.toContain("Rain over Wuxi");
  await expect(desk.getByRole("button", { name: /^Heavy rain/ })).toContainText(
    "alerts in force: 1",
  );

  await desk.getByRole("button", { name: "Log" }).click();
  await desk.getByRole("combobox", { name: "Log of" }).selectOption({ label: "Everything" });
  const log = desk.getByRole("list", { name: "Log" });
  await expect(log).toContainText("Li Na cancelled “Rain over Wuxi”");
  await expect(log).toContainText("Li Na released “Heavy rain”");
  await expect(log).toContainText("Released to Shanghai and Nantong");
  await expect(log).toContainText("downwind");
  await expect(log).toContainText("Li Na acknowledged “Heavy rain”");
  await expect(log).toContainText("Zhao issued “Rain over Suzhou”");
  await desk.getByRole("combobox", { name: "Log of" }).selectOption({ label: "Rain over Wuxi" });
  await expect(log.getByRole("listitem")).toHaveCount(2);
  const saved = page.waitForEvent("download");
  await desk.getByRole("button", { name: "CSV" }).click();
  const lines = readFileSync(await (await saved).path(), "utf8")
    .trim()
    .split("\r\n");
  expect(lines).toHaveLength(3);
  expect(lines[1]).toContain(",cancel,Li Na,local,");

  await page.reload();
  await expect(desk.getByRole("combobox", { name: "Log of" })).toHaveValue(mistaken);
  expect([param(page, "panel"), param(page, "desk")]).toEqual(["duty", "log"]);
});

test("what is refused says why and can be tried again; what isn't the desk's to end isn't offered", async ({
  page,
  request,
  visit,
}) => {
  visit.expected.push(/503/, /Service Unavailable/);
  await warn(request, "hefei", "fog", "Fog over Hefei");
  let fail = true;
  await page.route("**/warnings/events", async (route) => {
    if (fail) await route.fulfill({ status: 503, json: { detail: "the store is closed" } });
    else await route.continue();
  });
  await open(page, "?panel=duty");
  const desk = deskOf(page);
  await expect(desk.getByText("The node failed at this: the store is closed")).toBeVisible();
  fail = false;
  await desk.getByRole("button", { name: "Try again" }).click();
  await desk.getByRole("button", { name: /^Fog/ }).click();
  fail = true;
  await warn(request, "luan", "coldWave", "Cold over Luan");
  await expect(desk.getByText(/This is how it was at/)).toBeVisible();
  await expect(desk.getByRole("button", { name: "Acknowledge", exact: true })).toBeVisible();
  fail = false;
  await desk.getByRole("button", { name: "Try again" }).click();
  await expect(desk.getByRole("button", { name: /^Cold wave/ })).toBeVisible();

  await page.route("**/acknowledge", async (route) => {
    await page.unroute("**/acknowledge");
    await route.fulfill({ status: 503, json: { detail: "the disk is full" } });
  });
  await desk.getByRole("button", { name: "Acknowledge", exact: true }).click();
  await desk.getByRole("textbox", { name: "Your name" }).fill("Wang");
  await page.keyboard.press("Enter");
  const form = desk.getByRole("form");
  await form.getByRole("button", { name: "Acknowledge" }).click();
  await expect(form.getByRole("alert")).toContainText("It was not done.");
  await expect(form.getByRole("alert")).toContainText("the disk is full");
  await form.getByRole("button", { name: "Acknowledge" }).click();
  await expect(desk.getByText("Acknowledged by Wang")).toBeVisible();

  const other = `<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>x-1</identifier>
    <sender>fire@elsewhere.example</sender><sent>${new Date().toISOString().slice(0, 19)}+00:00</sent>
    <status>Actual</status><msgType>Alert</msgType><scope>Public</scope><info>
    <language>en</language><category>Fire</category><event>Forest fire</event>
    <urgency>Immediate</urgency><severity>Severe</severity><certainty>Likely</certainty>
    <headline>Forest fire west of Huangshan</headline><area><areaDesc>Huangshan</areaDesc>
    <geocode><valueName>GB/T 2260</valueName><value>341000</value></geocode></area></info></alert>`;
  const taken = await request.post("/tenants/huangshan/warnings/cap", {
    headers: { "Content-Type": "application/cap+xml" },
    data: other,
  });
  expect(taken.status(), await taken.text()).toBe(201);
  await desk.getByRole("button", { name: /^Forest fire/ }).click();
  await desk.getByRole("button", { name: /^Forest fire west/ }).click();
  await expect(desk.getByText(/Only fire@elsewhere.example/)).toBeVisible();
  await expect(desk.getByText(/likely · until/)).toBeVisible();
  await expect(desk.getByRole("button", { name: "Cancel", exact: true })).toHaveCount(0);
});

test("a warning is drafted by hand, checked and issued; an exercise says so; the keyboard does it all", async ({
  page,
}) => {
  await open(page);
  await page.keyboard.press("w");
  const desk = deskOf(page);
  await desk.getByRole("button", { name: "New warning" }).focus();
  await page.keyboard.press("Enter");
  await desk.getByRole("combobox", { name: "Kind" }).selectOption({ label: "Heat wave" });
  await desk.getByRole("textbox", { name: "Your name" }).fill("Sun");
  await desk.getByRole("textbox", { name: "Headline in English" }).fill("Forty degrees");
  await desk.getByRole("button", { name: "Check what goes out" }).focus();
  await page.keyboard.press("Enter");
  await expect(desk.getByRole("alert")).toHaveText("Choose one city at least.");
  await desk.getByRole("checkbox", { name: "Hangzhou", exact: true }).focus();
  await page.keyboard.press("Space");
  await desk.getByRole("checkbox", { name: /^An exercise/ }).focus();
  await page.keyboard.press("Space");
  await desk.getByRole("button", { name: "Check what goes out" }).focus();
  await page.keyboard.press("Enter");
  await expect(desk.getByRole("heading", { name: /this will go out/ })).toBeFocused();
  await expect(desk.getByText("It is an exercise, and says so everywhere.")).toBeVisible();
  await desk.getByRole("button", { name: "Issue the warning" }).focus();
  await page.keyboard.press("Enter");
  const event = desk.getByRole("button", { name: /^Heat wave/ });
  await expect(event).toContainText("simulated");
  await expect(event).toContainText("Hangzhou");

  const alert = desk.getByRole("button", { name: /^Forty degrees/ });
  await expect(alert).toHaveAttribute("aria-expanded", "true");
  await desk.getByRole("button", { name: "All-clear" }).focus();
  await page.keyboard.press("Enter");
  await expect(desk.getByRole("textbox", { name: "Your name" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(desk.getByRole("form")).toHaveCount(0);
  await desk.getByRole("button", { name: "All-clear" }).click();
  await page.keyboard.press("Enter");
  await desk.getByRole("form").getByRole("button", { name: "All-clear" }).focus();
  await page.keyboard.press("Enter");
  await expect(desk.getByText("The all-clear for “Forty degrees” is given.")).toBeVisible();
  await expect(event).toHaveCount(0);
});

test("axe finds nothing at the desk, in either language and theme", async ({ page, request }) => {
  await warn(request, "ningbo", "wind", "Gale at Ningbo");
  await begin(page);
  const next = async (zh: string, en: string): Promise<void> => {
    const language = await page.evaluate(() => document.documentElement.lang);
    const name = language.startsWith("zh") ? zh : en;
    await page.getByRole("button", { name, exact: true }).first().click();
  };
  await deskOf(page)
    .getByRole("button", { name: /^Strong wind/ })
    .click();
  await deskOf(page)
    .getByRole("button", { name: /^Gale at Ningbo/ })
    .click();
  for (const language of ["en", "zh"]) {
    await next("发布至城市", "Release to cities");
    expect(await judged(page), language).toEqual([]);
    await page.locator("form input[type=text]").fill("Li");
    await next("核对将发出的内容", "Check what goes out");
    expect(await judged(page), language).toEqual([]);
    await next("日志", "Log");
    expect(await judged(page), language).toEqual([]);
    await next("新建预警", "New warning");
    expect(await judged(page), language).toEqual([]);
    await next("进行中", "Active");
    await page.getByRole("button", { name: /大风|Strong wind/ }).focus();
    await page.keyboard.press("g");
    await page.keyboard.press("b");
  }
});

test("a reader may look, and is told what acting would need", async ({ page, request }) => {
  await warn(request, "wenzhou", "hurricane", "Typhoon off Wenzhou");
  await page.route("**/warnings/desk", async (route) => {
    const response = await route.fetch();
    const body = (await response.json()) as object;
    await route.fulfill({ response, json: { ...body, caller: "press", mayAct: false } });
  });
  const desk = await begin(page, "&view=120.6,27.95,8");
  const event = desk.getByRole("button", { name: /^Typhoon Severe/ });
  await expect(event).toHaveAttribute("aria-expanded", "false");
  // What the desk shows is chosen on the map, too, and the desk stays.
  const map = page.locator("#map canvas").first();
  const { width = 0, height = 0 } = (await map.boundingBox()) ?? {};
  await map.click({ position: { x: width / 2, y: height / 2 } });
  await expect(event).toHaveAttribute("aria-expanded", "true");
  expect([param(page, "panel"), param(page, "select")?.split(":")[2]]).toEqual([
    "duty",
    "RegionalEvent",
  ]);
  await expect(desk.getByText("You are here as press, who may read, not act.")).toBeVisible();
  await expect(desk.getByRole("button", { name: "Acknowledge", exact: true })).toHaveCount(0);
  await desk.getByRole("button", { name: "New warning" }).click();
  await expect(desk.getByText("the right to write is needed")).toBeVisible();
  await desk.getByRole("button", { name: "Enter another token" }).click();
  await expect(page.getByRole("textbox", { name: "Token" })).toBeVisible();
});

test("a node without warnings has no desk, and a link to it says so", async ({ page }) => {
  await page.route("**/systems", (route) => route.fulfill({ json: [] }));
  await open(page, "?panel=duty");
  await expect(deskOf(page)).toContainText("This node runs no system");
  await expect(page.getByRole("button", { name: "Duty desk" })).toHaveCount(0);
  await page.keyboard.press("Escape");
  await page.keyboard.press("w");
  await expect(deskOf(page)).toHaveCount(0);
});

test.describe("on a phone", () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

  test("the desk is a sheet with everything in reach", async ({ page, request }) => {
    await warn(request, "jiaxing", "thunderstorms", "Thunder at Jiaxing");
    await open(page);
    await page.getByRole("button", { name: "More" }).tap();
    await page.getByRole("button", { name: "Duty desk" }).tap();
    const desk = deskOf(page);
    await desk.getByRole("button", { name: /^Thunderstorm/ }).tap();
    await desk.getByRole("button", { name: "Make the panel taller" }).tap();
    await desk.getByRole("button", { name: "Release to cities" }).tap();
    expect(await judged(page)).toEqual([]);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide).toBeLessThanOrEqual(390);
    const small = await desk.getByRole("button").evaluateAll((all) =>
      all
        .map((one) => ({ box: one.getBoundingClientRect(), name: one.textContent }))
        .filter(({ box }) => box.width > 0 && (box.width < 24 || box.height < 24))
        .map(({ name }) => name),
    );
    expect(small).toEqual([]);
  });
});
