// Measures the page in Chromium as bench/bench_page.py tells it to; writes one line of JSON.
//
//   node page.mjs first URL             how long until the page paints, answers a key, and is drawn
//   node page.mjs pan URL               times between frames while the map is dragged, and how much
//                                       of the map changes colour with the points of the first layer
//   node page.mjs live URL SECONDS      memory while objects move, and whether they are seen to move

import { chromium } from "@playwright/test";

const [, , what, url, seconds = "60"] = process.argv;
/** Dragging ends after so long, however few frames that were: a slow map is measured too. */
const DRAGGING_MS = 12_000;
const STEPS = 40;
const DRAG_PX = 300;
const FRAME_MS = 16;
const QUIET_MS = 1_500;
const TIMEOUT_MS = 60_000;
const WARM_MS = 15_000;
/** How often memory is looked at while objects move. */
const SAMPLES = 6;
/** How much a channel of a pixel has to differ to be of another colour. */
const SEEN = 24;

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
page.setDefaultTimeout(TIMEOUT_MS);
await page.goto(url);
await page.keyboard.press("/");
await page.waitForFunction(() => document.activeElement?.getAttribute("role") === "combobox");
const answered = await page.evaluate(() => performance.now());
await page.waitForSelector("#map[data-drawn]");

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

/** Times between frames while the map is dragged to and fro, for a while. */
async function pan() {
  await page.waitForTimeout(QUIET_MS);
  const shown = await pictured();
  await page.evaluate(() => {
    const frames = (window.frames_ms = []);
    let before = performance.now();
    const next = () => {
      const now = performance.now();
      frames.push(now - before);
      before = now;
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  });
  const end = Date.now() + DRAGGING_MS;
  for (let drag = 0; Date.now() < end; drag += 1) {
    const way = drag % 2 === 0 ? 1 : -1;
    const from = 640 - (way * DRAG_PX) / 2;
    await page.mouse.move(from, 420);
    await page.mouse.down();
    for (let step = 1; step <= STEPS && Date.now() < end; step += 1) {
      await page.mouse.move(from + (way * DRAG_PX * step) / STEPS, 420);
      await page.waitForTimeout(FRAME_MS);
    }
    await page.mouse.up();
  }
  const frames = await page.evaluate(() => window.frames_ms);
  return { frames_ms: frames, changed_share: await changed(shown) };
}

/** The pixels of the page as it is shown. */
async function pictured() {
  return (await page.screenshot({ clip: { x: 380, y: 100, width: 440, height: 560 } })).toString(
    "base64",
  );
}

/** Which share of the pixels is of another colour when the first layer is turned off. */
async function changed(before) {
  const box = page.locator("[data-layer] input[type=checkbox]").first();
  if ((await box.count()) === 0) return 0;
  await page.goto(url);
  await page.waitForSelector("#map[data-drawn]");
  await page.waitForTimeout(QUIET_MS);
  await box.click();
  await page.waitForTimeout(QUIET_MS);
  return page.evaluate(
    async ([seen, ...pictures]) => {
      const [one, other] = await Promise.all(
        pictures.map(async (picture) => {
          const image = new Image();
          image.src = `data:image/png;base64,${picture}`;
          await image.decode();
          const { width, height } = image;
          const context = new OffscreenCanvas(width, height).getContext("2d");
          context.drawImage(image, 0, 0);
          return context.getImageData(0, 0, width, height).data;
        }),
      );
      let count = 0;
      for (let at = 0; at < one.length; at += 4) {
        const differs = [0, 1, 2].some((way) => Math.abs(one[at + way] - other[at + way]) > seen);
        if (differs) count += 1;
      }
      return count / (one.length / 4);
    },
    [SEEN, before, await pictured()],
  );
}

/** Memory in use after collecting garbage, after a warm-up and after a while of objects moving. */
async function live() {
  const session = await page.context().newCDPSession(page);
  const used = async () => {
    for (let round = 0; round < 2; round += 1) await session.send("HeapProfiler.collectGarbage");
    return page.evaluate(() => performance.memory.usedJSHeapSize);
  };
  await page.waitForTimeout(WARM_MS);
  const begin = await used();
  const samples = [begin];
  const shown = await pictured();
  const every = (Number(seconds) * 1_000) / SAMPLES;
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    await page.waitForTimeout(every);
    samples.push(await used());
  }
  return { samples_bytes: samples, moved: (await pictured()) !== shown };
}

const measured = await { first, pan, live }[what]();
console.log(JSON.stringify(measured));
await browser.close();
