// The page as a reader meets it, and what must be true of every visit: a silent console, nothing asked
// of another host, nothing that the policy had to stop.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { test as base, expect, type Page } from "@playwright/test";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Rules that WCAG 2.2 AA asks for. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** Requests that a test makes fail on purpose are named here. */
export interface Visit {
  readonly expected: RegExp[];
}

export const test = base.extend<{ visit: Visit }>({
  visit: [
    async ({ page, baseURL }, use) => {
      const said: string[] = [];
      const expected: RegExp[] = [];
      const own = new URL(baseURL ?? "").origin;
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") said.push(message.text());
      });
      page.on("pageerror", (error) => said.push(`${error.message} ${error.stack ?? ""}`));
      page.on("request", (request) => {
        const { origin, protocol } = new URL(request.url());
        if (origin !== own && protocol !== "blob:" && protocol !== "data:")
          said.push(`left the host: ${request.url()}`);
      });
      page.on("response", (response) => {
        if (response.status() >= 400) said.push(`${response.status()} ${response.url()}`);
      });
      await use({ expected });
      expect(said.filter((one) => !expected.some((known) => known.test(one)))).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** Open the page and wait until the map is drawn and coloured. */
export async function open(page: Page, query = ""): Promise<void> {
  await page.goto(`/${query}`);
  await drawn(page);
}

export async function drawn(page: Page): Promise<void> {
  await expect(page.locator("#map[data-drawn]")).toBeAttached({ timeout: 30_000 });
}

/** Judge what is shown by axe; gives what it finds, in words. */
export async function judged(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async (rules) => {
    const { axe } = window as unknown as {
      axe: {
        run: (
          what: unknown,
          how: unknown,
        ) => Promise<{
          violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[];
        }>;
      };
    };
    const { violations } = await axe.run(document, { runOnly: rules });
    return violations.flatMap(({ id, nodes }) =>
      nodes.map((one) => `${id}: ${one.html.slice(0, 160)} ${one.failureSummary ?? ""}`),
    );
  }, RULES);
}

/** What the map shows of the region's cities: colours by id, as they are drawn. */
export function param(page: Page, name: string): string | null {
  return new URL(page.url()).searchParams.get(name);
}
