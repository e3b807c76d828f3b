// The duty desk: what comes first, what belongs to an event, how the log becomes a file.

import { expect, test } from "vitest";

import {
  deskOf,
  type AlertRow,
  type DeskInfo,
  type Entry,
  type EventRow,
} from "../../src/api/duty";
import { offers } from "../../src/api/systems";
import {
  entriesOf,
  eventOf,
  LOG_COLUMNS,
  logRows,
  nextArrival,
  ordered,
  outside,
  saidNow,
  shortTime,
  textsOf,
} from "../../src/panels/duty";
import { csvOf } from "../../src/panels/rows";

const NOW = Date.parse("2026-11-22T08:00:00Z");

const row = (id: string, severity: string, from: string): EventRow =>
  ({ id, severity, from, statements: [], forecast: [] }) as unknown as EventRow;

const EVENT = {
  ...row("event", "high", "2026-11-22T06:00:00Z"),
  statements: [
    { alert: "a", state: "superseded", issued: "2026-11-22T06:00:00Z" },
    { alert: "b", state: "active", issued: "2026-11-22T07:00:00Z" },
    { alert: "c", state: "active", issued: "2026-11-22T07:30:00Z" },
  ],
} as unknown as EventRow;

const LOG = [
  { id: "1", target: "event", action: "release", title: { en: "Rain" }, cities: ["wuxi", "hefei"] },
  { id: "2", target: "b", action: "cancel", title: { zh: "雨" }, cities: [], note: "=SUM(A1)" },
  { id: "3", target: "other", action: "issue", title: {}, cities: [] },
] as unknown as Entry[];

test("the worst comes first, or the newest; what is equal by the other", () => {
  const rows = [
    row("old", "high", "2026-11-22T01:00:00Z"),
    row("new", "high", "2026-11-22T05:00:00Z"),
    row("worst", "critical", "2026-11-22T00:00:00Z"),
    row("odd", "unheard-of", "2026-11-22T06:00:00Z"),
  ];
  expect(ordered(rows, "severity").map(({ id }) => id)).toEqual(["worst", "new", "old", "odd"]);
  expect(ordered(rows, "time").map(({ id }) => id)).toEqual(["odd", "new", "old", "worst"]);
});

test("what holds is apart from what was said before, the last said first", () => {
  const { now, before } = saidNow(EVENT);
  expect(now.map(({ alert }) => alert)).toEqual(["c", "b"]);
  expect(before.map(({ alert }) => alert)).toEqual(["a"]);
});

test("an event is found by itself and by its alerts; other alerts stand outside", () => {
  expect(eventOf([EVENT], "event")?.id).toBe("event");
  expect(eventOf([EVENT], "b")?.id).toBe("event");
  expect(eventOf([EVENT], "x")).toBeNull();
  expect(eventOf([EVENT], null)).toBeNull();
  const alerts = [{ id: "b" }, { id: "x" }] as AlertRow[];
  expect(outside(alerts, [EVENT]).map(({ id }) => id)).toEqual(["x"]);
});

test("the next arrival is the first whose range isn't over", () => {
  const at = (city: string, latest: string) => ({ city, latest }) as EventRow["forecast"][number];
  const forecast = [at("past", "2026-11-22T07:59:00Z"), at("ahead", "2026-11-22T08:30:00Z")];
  expect(nextArrival(forecast, NOW)?.city).toBe("ahead");
  expect(nextArrival(forecast, NOW + 3_600_000)).toBeNull();
});

test("the log of an event has what was done to its alerts", () => {
  expect(entriesOf(LOG, [EVENT], "event").map(({ id }) => id)).toEqual(["1", "2"]);
  expect(entriesOf(LOG, [EVENT], "b").map(({ id }) => id)).toEqual(["2"]);
  expect(entriesOf(LOG, [EVENT], null)).toHaveLength(3);
});

test("the log as a file has a line per entry and runs no formula", () => {
  const text = csvOf(
    logRows(LOG, ({ en, zh }) => en ?? zh ?? ""),
    LOG_COLUMNS,
  );
  const lines = text.trim().split("\r\n");
  expect(lines).toHaveLength(4);
  expect(lines[1]).toContain(",Rain,wuxi hefei,");
  expect(lines[2]).toContain(",雨,,'=SUM(A1)");
});

test("a time of today is told by the clock of the region, another with its day", () => {
  expect(shortTime("2026-11-22T10:05:00Z", NOW, "en")).toBe("18:05");
  expect(shortTime("2026-11-22T17:05:00Z", NOW, "en")).toBe("23 Nov, 01:05");
  expect(shortTime("2026-11-22T17:05:00Z", NOW, "zh")).toContain("11月23日");
});

test("texts are in the languages that something was written in", () => {
  expect(textsOf(" 暴雨 ", "")).toEqual({ zh: "暴雨" });
  expect(textsOf("  ", "Rain")).toEqual({ en: "Rain" });
});

test("an alert is acted on at the desk of who keeps it, or not here", () => {
  const info = { desks: { yrd: "/warnings", wuxi: "/tenants/wuxi/warnings" } };
  const path = (id: string): string | null => deskOf(info as unknown as DeskInfo, id);
  expect(path("urn:ngsi-ld:RegionalEvent:yrd:fog-1")).toBe("/warnings");
  expect(path("urn:ngsi-ld:Alert:wuxi:1")).toBe("/tenants/wuxi/warnings");
  expect(path("urn:ngsi-ld:Alert:elsewhere:1")).toBeNull();
});

test("a panel is offered where any system answers its operation", () => {
  const systems = [{ name: "x", title: {}, endpoints: [{ method: "POST", path: "/x/{id}" }] }];
  expect(offers(systems, "POST /x/{id}")).toBe(true);
  expect(offers(systems, "GET /x/{id}")).toBe(false);
  expect(offers([], "POST /x/{id}")).toBe(false);
});
