// The map as a picture that speaks for itself: title, time, legend and sources around it.

import { brief, unitOf } from "../i18n/say";
import { atlas } from "../state/atlas.svelte";
import { store, t } from "../state/store.svelte";
import { told } from "../time/calendar";

const EDGE = 24;
const HEAD = 84;
const FOOT = 56;
const ROW = 22;

/** Draw a picture of the map with what a reader needs beside it, as PNG. */
export function poster(map: HTMLCanvasElement): Promise<Blob> {
  const scale = Math.min(2, window.devicePixelRatio || 1);
  const canvas = document.createElement("canvas");
  canvas.width = map.width;
  canvas.height = map.height + Math.round((HEAD + FOOT) * scale);
  const pen = canvas.getContext("2d");
  if (pen === null) return Promise.reject(new Error("canvas"));
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const font = style.getPropertyValue("--font");
  pen.fillStyle = colour("--panel");
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(map, 0, Math.round(HEAD * scale));
  pen.scale(scale, scale);
  const [width, height] = [canvas.width / scale, canvas.height / scale];
  const write = (
    text: string,
    x: number,
    y: number,
    size: number,
    weight = 400,
    name = "--ink",
  ): void => {
    pen.font = `${weight} ${size}px ${font}`;
    pen.fillStyle = colour(name);
    pen.fillText(text, x, y);
  };
  const { classed, indicator } = atlas;
  const what = indicator === null || classed === null ? "" : atlas.indicatorName(indicator, true);
  const when = classed === null ? (store.page.time ?? "") : told(classed.year, store.lang);
  write(atlas.title, EDGE, 38, 24, 650);
  write([what, when].filter(Boolean).join(" · "), EDGE, 64, 15, 400, "--ink-2");
  if (classed !== null) {
    const unit = unitOf(store.lang, atlas.unit, classed.most);
    const edges = [classed.least, ...classed.breaks, classed.most];
    const left = width - 210;
    const top = height - FOOT - EDGE - classed.colours.length * ROW;
    pen.globalAlpha = 0.92;
    pen.fillStyle = colour("--panel");
    pen.fillRect(left - 14, top - 34, 200, classed.colours.length * ROW + 46);
    pen.globalAlpha = 1;
    write(unit.name, left, top - 12, 12, 400, "--ink-2");
    classed.colours.forEach((fill, at) => {
      pen.fillStyle = fill;
      pen.fillRect(left, top + at * ROW - 2, 24, 15);
      const [low = 0, high = 0] = [edges[at], edges[at + 1]];
      write(
        `${brief(store.lang, low * unit.factor)} – ${brief(store.lang, high * unit.factor)}`,
        left + 34,
        top + at * ROW + 10,
        13,
      );
    });
  }
  const sources = [
    ...new Set([
      indicator?.source,
      ...atlas.placed.map(({ layer }) => layer.source),
      t("map.attribution"),
    ]),
  ];
  write(sources.filter(Boolean).join(" · "), EDGE, height - 24, 11, 400, "--ink-3");
  return new Promise((resolve, reject) =>
    canvas.toBlob(
      (blob) => (blob === null ? reject(new Error("png")) : resolve(blob)),
      "image/png",
    ),
  );
}
