// Measures the page in Chromium as bench/bench_page.py tells it to; writes one line of JSON.
//
//   node page.mjs first URL             how long until the page paints, answers a key, and is drawn
//   node page.mjs pan URL               times between frames while the map is dragged
//   node page.mjs live URL SECONDS      memory while objects move

import { chromium } from "@playwright/test";

const [, , what, url, seconds = "60"] = process.argv;
const DRAGS = 12;
const STEPS = 40;
const DRAG_PX = 300;

const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--enable-precise-memory-info",
    "--js-flags=--expose-gc",
  ],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
await page.goto(url);
await page.keyboard.press("/");
await page.waitForFunction(() => document.activeElement?.getAttribute("role") === "combobox");
const answered = await page.evaluate(() => performance.now());
await page.waitForSelector("#map[data-drawn]", { timeout: 60_000 });

/** Milliseconds from the start to the first paint, to an answer to a key, to a map that is drawn. */
async function first() {
  return page.evaluate(
    (answeredMs) => ({
      painted_ms: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null,
      answered_ms: answeredMs,
      drawn_ms: Number(document.getElementById("map")?.dataset.drawn) - performance.timeOrigin,
      scripts_bytes: performance
        .getEntriesByType("resource")
        .filter((one) => /\.m?js$/.test(one.name))
        .reduce((sum, one) => sum + one.encodedBodySize, 0),
    }),
    answered,
  );
}

/** Times between frames while the map is dragged to and fro. */
async function pan() {
  await page.waitForTimeout(1_500);
  await page.evaluate(() => {
    const frames = (window.frames_ms = []);
    let before = performance.now();
    const next = (now) => {
      frames.push(now - before);
      before = now;
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  });
  for (let drag = 0; drag < DRAGS; drag += 1) {
    const way = drag % 2 === 0 ? 1 : -1;
    await page.mouse.move(640 - (way * DRAG_PX) / 2, 420);
    await page.mouse.down();
    for (let step = 1; step <= STEPS; step += 1) {
      await page.mouse.move(640 - (way * DRAG_PX) / 2 + (way * DRAG_PX * step) / STEPS, 420);
      await page.waitForTimeout(16);
    }
    await page.mouse.up();
  }
  return { frames_ms: await page.evaluate(() => window.frames_ms) };
}

/** Memory in use after collecting garbage, now and after a while of objects moving. */
async function live() {
  const used = () => page.evaluate(() => (globalThis.gc?.(), performance.memory.usedJSHeapSize));
  await page.waitForTimeout(10_000);
  const begin = await used();
  await page.waitForTimeout(Number(seconds) * 1_000);
  return { begin_bytes: begin, end_bytes: await used() };
}

const measured = await { first, pan, live }[what]();
console.log(JSON.stringify(measured));
await browser.close();
