// Times as people write and step them: a year, a month, a day, an hour, a minute. A time of a scale
// means the end of its period, because a figure of a year is known when the year is over.

import type { Language, Step } from "../state/model";

/** The region's clock. China has one time zone without summer time. */
export const ZONE_OFFSET_MS = 8 * 3_600_000;
export const ZONE = "Asia/Shanghai";

const MINUTE_MS = 60_000;
const WRITTEN =
  /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2})(?::(\d{2})(?::\d{2}(?:\.\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?)?)?)?$/;

/** Whether a text is a time that the page understands. */
export function isTime(text: string): boolean {
  return WRITTEN.test(text) && Number.isFinite(instantOf(text));
}

/** How exactly a time is written. */
export function stepOf(text: string): Step {
  const [, , month, day, hour, minute] = WRITTEN.exec(text) ?? [];
  if (minute !== undefined) return "minute";
  if (hour !== undefined) return "hour";
  if (day !== undefined) return "day";
  return month === undefined ? "year" : "month";
}

/** Give the last millisecond of a written time, in the region's zone unless it names its own. */
export function instantOf(text: string): number {
  const [, year, month, day, hour, minute, zone] = WRITTEN.exec(text) ?? [];
  if (year === undefined) return NaN;
  if (minute !== undefined && zone !== undefined) return Date.parse(text);
  const step = stepOf(text);
  const begin = Date.UTC(
    Number(year),
    month === undefined ? 0 : Number(month) - 1,
    day === undefined ? 1 : Number(day),
    hour === undefined ? 0 : Number(hour),
    minute === undefined ? 0 : Number(minute),
  );
  if (month !== undefined && (Number(month) < 1 || Number(month) > 12)) return NaN;
  if (day !== undefined && new Date(begin).getUTCDate() !== Number(day)) return NaN;
  if (hour !== undefined && Number(hour) > 23) return NaN;
  return addSteps(begin, step, 1) - 1 - (zone === "Z" ? 0 : ZONE_OFFSET_MS);
}

/** Write an instant at a scale, in the region's zone. */
export function written(instant: number, step: Step): string {
  const local = new Date(instant + ZONE_OFFSET_MS).toISOString();
  switch (step) {
    case "year":
      return local.slice(0, 4);
    case "month":
      return local.slice(0, 7);
    case "day":
      return local.slice(0, 10);
    case "hour":
      return local.slice(0, 13);
    case "minute":
      return local.slice(0, 16);
  }
}

/** Move an instant by whole steps of the calendar, on the axis that it is given on. */
export function addSteps(instant: number, step: Step, count: number): number {
  const date = new Date(instant);
  switch (step) {
    case "year":
      return date.setUTCFullYear(date.getUTCFullYear() + count);
    case "month": {
      const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + count + 1, 0));
      const day = Math.min(date.getUTCDate(), last.getUTCDate());
      return date.setUTCFullYear(last.getUTCFullYear(), last.getUTCMonth(), day);
    }
    case "day":
      return instant + count * 24 * 60 * MINUTE_MS;
    case "hour":
      return instant + count * 60 * MINUTE_MS;
    case "minute":
      return instant + count * MINUTE_MS;
  }
}

/** Step a written time, at its own scale or a coarser one's. */
export function stepped(text: string, step: Step, count: number): string {
  const local = instantOf(text) + ZONE_OFFSET_MS;
  return written(addSteps(local, step, count) - ZONE_OFFSET_MS, step);
}

/** Choose the scale whose steps a span has a hundred or so of. */
export function stepFor(begin: number, end: number): Step {
  const days = (end - begin) / 86_400_000;
  if (days > 4 * 366) return "year";
  if (days > 150) return "month";
  if (days > 6) return "day";
  if (days > 0.3) return "hour";
  return "minute";
}

/** Marks along a span: round years, months, days or hours, at most `count` or so. */
export function ticks(begin: number, end: number, step: Step, count: number): number[] {
  const strides: Record<Step, readonly number[]> = {
    year: [1, 2, 5, 10, 20, 50],
    month: [1, 2, 3, 6, 12, 24],
    day: [1, 2, 5, 10, 30],
    hour: [1, 2, 3, 6, 12, 24],
    minute: [1, 5, 10, 15, 30, 60],
  };
  const unit = addSteps(0, step, 1);
  const most = Math.max(1, (end - begin) / unit / count);
  const choices = strides[step];
  const stride = choices.find((one) => one >= most) ?? choices[choices.length - 1] ?? 1;
  const marks: number[] = [];
  let text = written(begin, step);
  for (let guard = 0; guard < 2_000; guard += 1) {
    const at = instantOf(text);
    if (at > end) break;
    if (at >= begin && isRound(text, step, stride)) marks.push(at);
    text = stepped(text, step, 1);
  }
  return marks;
}

function isRound(text: string, step: Step, stride: number): boolean {
  const part = { year: 0, month: 1, day: 2, hour: 3, minute: 4 }[step];
  const number = Number(text.split(/[-T:]/)[part]);
  return step === "month" || step === "day" ? (number - 1) % stride === 0 : number % stride === 0;
}

/** Say a written time to people. */
export function told(text: string, lang: Language): string {
  const step = stepOf(text);
  if (step === "year") return lang === "zh" ? `${text.slice(0, 4)}年` : text.slice(0, 4);
  const options: Intl.DateTimeFormatOptions = { timeZone: ZONE, year: "numeric", month: "short" };
  if (step !== "month") options.day = "numeric";
  if (step === "hour" || step === "minute") {
    options.hour = "2-digit";
    options.minute = "2-digit";
    options.hour12 = false;
  }
  return new Intl.DateTimeFormat(lang === "zh" ? "zh-CN" : "en-GB", options).format(
    step === "hour" ? instantOf(text) + 1 - 3_600_000 : instantOf(text),
  );
}

/** Say an instant to people, to the minute. */
export function toldInstant(instant: number, lang: Language): string {
  return told(written(instant, "minute"), lang);
}
