// Round marks of an axis, and how far two figures go together. Pure.

export interface Axis {
  readonly least: number;
  readonly most: number;
  readonly ticks: readonly number[];
}

const TICKS = 5;

/** Choose round marks that hold all values. */
export function niceTicks(values: readonly number[]): Axis {
  const finite = values.filter(Number.isFinite);
  let least = Math.min(0, ...finite);
  let most = Math.max(0, ...finite);
  if (least > 0 || (finite.length > 0 && Math.min(...finite) > 0.5 * most))
    least = Math.min(...finite);
  if (least === most) most = least + 1;
  const rough = (most - least) / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((one) => one * power >= rough) ?? 10) * power;
  least = Math.floor(least / step) * step;
  most = Math.ceil(most / step) * step;
  const count = Math.round((most - least) / step);
  const ticks = Array.from({ length: count + 1 }, (_, at) =>
    Number((least + at * step).toPrecision(12)),
  );
  return { least, most, ticks };
}

/** Pearson's correlation; null for fewer than three pairs or a figure that doesn't vary. */
export function correlation(
  pairs: readonly { readonly x: number; readonly y: number }[],
): number | null {
  if (pairs.length < 3) return null;
  const mean = (pick: (one: { x: number; y: number }) => number): number =>
    pairs.reduce((sum, one) => sum + pick(one), 0) / pairs.length;
  const [mx, my] = [mean((one) => one.x), mean((one) => one.y)];
  let [xy, xx, yy] = [0, 0, 0];
  for (const { x, y } of pairs) {
    xy += (x - mx) * (y - my);
    xx += (x - mx) ** 2;
    yy += (y - my) ** 2;
  }
  return xx === 0 || yy === 0 ? null : xy / Math.sqrt(xx * yy);
}
