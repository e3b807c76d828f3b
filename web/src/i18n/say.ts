// Texts, numbers, units and ages in the language of the page. Pure: the language is an argument.

import type { Language } from "../state/model";
import { en, type Key } from "./en";
import { zh } from "./zh";

const CATALOGUES: Readonly<Record<Language, Readonly<Record<Key, string>>>> = { en, zh };

export type { Key } from "./en";
export type Parts = Readonly<Record<string, string | number>>;

/** Text in both languages, as nodes give it. */
export type Names = Readonly<Partial<Record<Language, string>>>;

/** Give a text of the catalogue, its parts filled in. */
export function say(lang: Language, key: Key, parts: Parts = {}): string {
  return CATALOGUES[lang][key].replace(/\{(\w+)\}/g, (whole, name: string) =>
    name in parts ? String(parts[name]) : whole,
  );
}

/** Choose a name out of several languages. */
export function named(lang: Language, names: Names | undefined, otherwise: string): string {
  return names?.[lang] ?? names?.en ?? names?.zh ?? otherwise;
}

const LOCALES: Readonly<Record<Language, string>> = { en: "en-GB", zh: "zh-CN" };

/** Write a number whole, with separators. */
export function plain(lang: Language, value: number): string {
  const digits = Math.abs(value) >= 100 ? 1 : Math.abs(value) >= 1 ? 2 : 4;
  return new Intl.NumberFormat(LOCALES[lang], { maximumFractionDigits: digits }).format(value);
}

/** Write a number in brief: 1.2 million, 3亿. */
export function brief(lang: Language, value: number, digits = 3): string {
  if (Math.abs(value) < 10_000) return plain(lang, Number(value.toPrecision(digits + 1)));
  return new Intl.NumberFormat(LOCALES[lang], {
    notation: "compact",
    maximumSignificantDigits: digits,
  }).format(value);
}

/** How figures of a unit are shown: the factor to the shown unit, and its name. */
export interface Unit {
  readonly factor: number;
  readonly name: string;
}

const AREA_FROM = 1_000_000;

/** Choose the unit that figures as large as `typical` are shown in. */
export function unitOf(lang: Language, code: string | null, typical: number): Unit {
  if (code === null) return { factor: 1, name: "" };
  if (code === "MTK" && Math.abs(typical) >= AREA_FROM) {
    return { factor: 1e-6, name: say(lang, "unit.KMK") };
  }
  const key = `unit.${code}`;
  return { factor: 1, name: key in en ? say(lang, key as Key) : code };
}

/** Write a figure with its unit, in brief. */
export function figure(lang: Language, value: number, code: string | null): string {
  const unit = unitOf(lang, code, value);
  const text = brief(lang, value * unit.factor);
  const tight = lang === "zh" || unit.name === "%" || unit.name === "°";
  return unit.name === "" ? text : `${text}${tight ? "" : " "}${unit.name}`;
}

const AGES: readonly (readonly [number, Key])[] = [
  [365.25 * 86_400, "age.years"],
  [86_400, "age.days"],
  [3_600, "age.hours"],
  [60, "age.minutes"],
  [0, "age.seconds"],
];

/** Say an age in its largest fitting unit. */
export function age(lang: Language, seconds: number): string {
  for (const [unit, key] of AGES) {
    if (seconds >= unit) {
      return say(lang, key, { count: Math.floor(seconds / Math.max(1, unit)) });
    }
  }
  return say(lang, "age.seconds", { count: 0 });
}

/** Say a distance. */
export function distance(lang: Language, metres: number): string {
  return metres < 1000
    ? `${plain(lang, Math.round(metres))} ${say(lang, "unit.MTR")}`
    : `${plain(lang, Math.round(metres / 100) / 10)} ${say(lang, "unit.KMT")}`;
}
