// The page in Debian's Chromium, against a region that is up at CONURB_URL.

import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: "tests/e2e",
  // Two cores and a renderer in software: one page at a time, and patience.
  workers: 1,
  timeout: 150_000,
  expect: { timeout: 30_000 },
  reporter: process.env["CI"] ? "line" : "list",
  outputDir: process.env["PAGE_OUTPUT"] ?? "/tmp/conurb-page",
  use: {
    baseURL: process.env["CONURB_URL"] ?? "http://127.0.0.1:8080",
    // Drawing in software takes as long as there are pixels.
    viewport: { width: 1200, height: 720 },
    contextOptions: { reducedMotion: "reduce" },
    locale: "en-GB",
    timezoneId: "Asia/Shanghai",
    trace: "off",
    launchOptions: {
      executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
      ],
    },
  },
});
