// Rows of a table: which columns there are, which rows a filter takes, in which order. Pure.

import type { Feature, Properties } from "../api/features";

export interface Row {
  readonly id: string;
  readonly properties: Properties;
}

/** Columns of rows: those worth showing first, then the rest by name; units and the like are not columns. */
export function columnsOf(rows: readonly Row[], first: readonly string[]): string[] {
  const keys = new Set<string>();
  for (const { properties } of rows) {
    for (const key of Object.keys(properties)) if (!isMember(key)) keys.add(key);
  }
  const leading = first.flatMap((name) =>
    [...keys].filter((key) => key === name || key.startsWith(`${name}@`)),
  );
  return [...new Set([...leading, ...[...keys].sort()])];
}

/** Whether a key is of a member of an instance (`co2.unitCode`), not of an attribute. */
function isMember(key: string): boolean {
  return /\.[A-Za-z]\w*$/.test(key);
}

export type Test = (row: Row) => boolean;

const CONDITION = /^\s*([\w@.:-]+)\s*(>=|<=|!=|==|=|>|<)\s*(.+?)\s*$/;

/**
 * Read a filter: a text that a row has anywhere, or conditions on columns joined by `;`, as
 * `population > 5000000; name = Hefei`. Null when a condition names no column.
 */
export function readFilter(
  text: string,
  columns: readonly string[],
  name: (key: string) => string,
): Test | null {
  const wanted = text.trim();
  if (wanted === "") return () => true;
  const parts = wanted.split(";").map((one) => CONDITION.exec(one));
  if (parts.some((one) => one === null)) {
    const sought = wanted.toLowerCase();
    return ({ id, properties }) =>
      id.toLowerCase().includes(sought) ||
      Object.values(properties).some((one) =>
        String(one ?? "")
          .toLowerCase()
          .includes(sought),
      );
  }
  const tests: Test[] = [];
  for (const part of parts) {
    const [, given = "", operator = "", value = ""] = part ?? [];
    const key =
      columns.find((one) => one === given) ??
      columns.find(
        (one) => one.split("@")[0] === given || name(one).toLowerCase() === given.toLowerCase(),
      );
    if (key === undefined) return null;
    tests.push(({ properties }) => holds(properties[key], operator, value));
  }
  return (row) => tests.every((test) => test(row));
}

function holds(value: unknown, operator: string, wanted: string): boolean {
  const number = Number(wanted.replace(/[,_]/g, ""));
  const [one, other] =
    typeof value === "number" && Number.isFinite(number)
      ? [value, number]
      : [String(value ?? "").toLowerCase(), wanted.replace(/^"(.*)"$/, "$1").toLowerCase()];
  if (value === undefined || value === null) return operator === "!=";
  switch (operator) {
    case ">":
      return one > other;
    case "<":
      return one < other;
    case ">=":
      return one >= other;
    case "<=":
      return one <= other;
    case "!=":
      return one !== other;
    default:
      return one === other;
  }
}

/** Order rows by a column; `-` before it turns the order round; what is missing comes last. */
export function sorted(rows: readonly Row[], sort: string | null, lang: string): readonly Row[] {
  if (sort === null) return rows;
  const down = sort.startsWith("-");
  const key = down ? sort.slice(1) : sort;
  const collator = new Intl.Collator(lang, { numeric: true });
  return [...rows].sort((a, b) => {
    const [one, other] = [a.properties[key], b.properties[key]];
    if (one === undefined || one === null) return other === undefined || other === null ? 0 : 1;
    if (other === undefined || other === null) return -1;
    const order =
      typeof one === "number" && typeof other === "number"
        ? one - other
        : collator.compare(String(one), String(other));
    return down ? -order : order;
  });
}

/** Write rows as CSV (RFC 4180), with a mark that spreadsheets read as UTF-8. */
export function csvOf(rows: readonly Row[], columns: readonly string[]): string {
  const lines = [
    ["id", ...columns],
    ...rows.map(({ id, properties }) => [id, ...columns.map((key) => properties[key])]),
  ];
  return `\ufeff${lines.map((line) => line.map(cell).join(",")).join("\r\n")}\r\n`;
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return "";
  const text =
    typeof value === "object" ? JSON.stringify(value) : String(value as string | number | boolean);
  // A text that a spreadsheet would run as a formula is kept a text.
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

/** Make rows of features. */
export function rowsOf(features: readonly Feature[]): Row[] {
  return features.map(({ id, properties }) => ({ id, properties }));
}
