// The stream of changes: gathered, taken up where it broke, read anew when something was missed.

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { GATHER_MS, live, type Change } from "../../src/api/live.svelte";

interface Asked {
  readonly url: string;
  readonly last: string | null;
}

const asked: Asked[] = [];
let streams: ReadableStreamDefaultController<Uint8Array>[] = [];
let status = 200;

function say(text: string): void {
  streams[streams.length - 1]?.enqueue(new TextEncoder().encode(text));
}

function changed(token: string, id: string, value: number): string {
  const feature = {
    type: "Feature",
    id,
    geometry: null,
    properties: { value },
    collections: ["Vehicle"],
    at: "2026-01-01T00:00:00Z",
  };
  return `id: ${token}\nevent: changes\ndata: ${JSON.stringify({ features: [feature], gone: [] })}\n\n`;
}

beforeEach(() => {
  asked.length = 0;
  streams = [];
  status = 200;
  vi.useFakeTimers();
  vi.stubGlobal("sessionStorage", { getItem: () => null });
  vi.stubGlobal("fetch", (url: string, init: { headers: Record<string, string> }) => {
    asked.push({ url, last: init.headers["Last-Event-ID"] ?? null });
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => void streams.push(controller),
    });
    return Promise.resolve(new Response(status === 200 ? body : null, { status }));
  });
});

afterEach(() => {
  live.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function follow(): { taken: Change[][]; missed: () => number } {
  const taken: Change[][] = [];
  let missed = 0;
  live.follow(["Vehicle"], "en", {
    taken: (changes) => taken.push([...changes]),
    missed: () => (missed += 1),
  });
  return { taken, missed: () => missed };
}

test("what changes within a second is taken once, at its latest", async () => {
  const { taken } = follow();
  await vi.advanceTimersByTimeAsync(0);
  say(changed("1", "urn:a", 1) + changed("2", "urn:b", 2));
  await vi.advanceTimersByTimeAsync(10);
  say(changed("3", "urn:a", 3));
  await vi.advanceTimersByTimeAsync(GATHER_MS);
  expect(
    taken.map((all) => all.map(({ id, feature }) => [id, feature?.properties["value"]])),
  ).toEqual([
    [
      ["urn:a", 3],
      ["urn:b", 2],
    ],
  ]);
});

test("an event that comes in pieces is one event", async () => {
  const { taken } = follow();
  await vi.advanceTimersByTimeAsync(0);
  const text = changed("1", "urn:a", 7);
  say(text.slice(0, 30));
  await vi.advanceTimersByTimeAsync(5);
  say(text.slice(30));
  await vi.advanceTimersByTimeAsync(GATHER_MS + 10);
  expect(taken).toHaveLength(1);
});

test("after a break it comes back with the position that it had", async () => {
  follow();
  await vi.advanceTimersByTimeAsync(0);
  say(changed("token-9", "urn:a", 1));
  await vi.advanceTimersByTimeAsync(5);
  expect(live.connected).toBe(true);
  streams[0]?.close();
  await vi.advanceTimersByTimeAsync(5);
  expect([live.connected, live.broken]).toEqual([false, true]);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(asked.map((one) => one.last)).toEqual([null, "token-9"]);
  expect([live.connected, live.broken]).toEqual([true, false]);
});

test("when something was missed, everything is read anew", async () => {
  const { missed } = follow();
  await vi.advanceTimersByTimeAsync(0);
  say('id: 5\nevent: reset\ndata: {"reason": "gone"}\n\n');
  await vi.advanceTimersByTimeAsync(5);
  expect(missed()).toBe(1);
});

test("a node without such a stream isn't asked again and again", async () => {
  status = 404;
  follow();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(1);
});

test("other types are another stream, from now on", async () => {
  follow();
  await vi.advanceTimersByTimeAsync(0);
  say(changed("token-9", "urn:a", 1));
  await vi.advanceTimersByTimeAsync(5);
  live.follow(["Alert", "Vehicle"], "zh", { taken: () => undefined, missed: () => undefined });
  await vi.advanceTimersByTimeAsync(0);
  expect(asked[1]).toEqual({
    url: expect.stringContaining("types=Alert%2CVehicle") as string,
    last: null,
  });
});
