// Colours of classes and of lines. Ramps are mixed in OKLab, where equal steps look equal, and hold for
// readers who confuse red and green: lightness rises or falls throughout.

import type { Theme } from "../state/model";

type Lab = readonly [number, number, number];

const SEQUENTIAL: Readonly<Record<Theme, readonly string[]>> = {
  light: ["#f6edc9", "#b9dcb4", "#63b5ab", "#23809a", "#1b4a7c", "#1d1f4d"],
  dark: ["#20394d", "#23607a", "#2f8c92", "#6cb894", "#b9dc98", "#fbf5b7"],
};
const BELOW: Readonly<Record<Theme, readonly string[]>> = {
  light: ["#dbe9ef", "#7fb3cc", "#2f78a6", "#123f6d"],
  dark: ["#2c4352", "#3c7599", "#66a9d4", "#b3dcf7"],
};
const ABOVE: Readonly<Record<Theme, readonly string[]>> = {
  light: ["#f8e3cf", "#e9a46a", "#c4632a", "#7d3008"],
  dark: ["#4d3a2d", "#a4602f", "#e09250", "#ffd9ad"],
};

export const NO_FIGURE: Readonly<Record<Theme, string>> = { light: "#dcdcd6", dark: "#39434a" };

/** Lines of a chart, in order; told apart by lightness too. */
export const LINES: Readonly<Record<Theme, readonly string[]>> = {
  light: ["#0a6660", "#c2500d", "#5b3fb5", "#9a1f60", "#1f6fb4", "#7a6a00"],
  dark: ["#5fd0c2", "#ffab73", "#b9a4ff", "#ff8fc0", "#7cc0ff", "#e3cf55"],
};
export const MEDIAN_LINE: Readonly<Record<Theme, string>> = { light: "#6b7a80", dark: "#8c9aa1" };

/** Give `count` colours from low to high. */
export function sequential(count: number, theme: Theme): string[] {
  return ramp(SEQUENTIAL[theme], count);
}

/** Give colours of classes below and above a reference, from the lowest to the highest. */
export function diverging(below: number, above: number, theme: Theme): string[] {
  return [...ramp(BELOW[theme], below, 0.25).reverse(), ...ramp(ABOVE[theme], above, 0.25)];
}

/** Mix a ramp into `count` colours, from the share `from` of it to its end. */
export function ramp(anchors: readonly string[], count: number, from = 0): string[] {
  const labs = anchors.map(labOf);
  return Array.from({ length: count }, (_, at) => {
    const share = count === 1 ? 0.6 : from + ((1 - from) * at) / (count - 1);
    const place = share * (labs.length - 1);
    const low = Math.min(Math.floor(place), labs.length - 2);
    return hexOf(mixed(labs[low] ?? [0, 0, 0], labs[low + 1] ?? [0, 0, 0], place - low));
  });
}

function mixed(one: Lab, other: Lab, share: number): Lab {
  const mix = (a: number, b: number): number => a + (b - a) * share;
  return [mix(one[0], other[0]), mix(one[1], other[1]), mix(one[2], other[2])];
}

/** Björn Ottosson, "A perceptual color space for image processing" (2020). */
function labOf(hex: string): Lab {
  const [r, g, b] = [1, 3, 5].map((at) => linear(parseInt(hex.slice(at, at + 2), 16) / 255)) as [
    number,
    number,
    number,
  ];
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function hexOf([lightness, a, b]: Lab): string {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const parts = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  const hex = (part: number): string =>
    Math.round(255 * Math.min(1, Math.max(0, curved(part))))
      .toString(16)
      .padStart(2, "0");
  return `#${parts.map(hex).join("")}`;
}

function linear(part: number): number {
  return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
}

function curved(part: number): number {
  return part <= 0.0031308 ? 12.92 * part : 1.055 * part ** (1 / 2.4) - 0.055;
}
