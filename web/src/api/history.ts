// Figures of many objects through time, in the compact form of the temporal API.

import { askJson, query, type Answer } from "./http";
import { termOf } from "./layers";

/** Figures of one key: id of an object to its points, in order of time (instants in ms). */
export type Histories = ReadonlyMap<string, readonly Point[]>;

export interface Point {
  readonly at: number;
  readonly value: number;
}

interface Compact {
  readonly type: string;
  readonly datasetId?: string;
  readonly values?: readonly (readonly [unknown, string])[];
}
type Evolution = { readonly id: string } & Readonly<Record<string, unknown>>;

const DATASET_PREFIX = "urn:ngsi-ld:dataset:";
const OBJECTS_MAX = 1000;
const SINCE = "1900-01-01T00:00:00Z";

/** Ask for the history of one attribute of every object of a type, or of some objects. */
export async function askHistories(
  type: string,
  key: string,
  signal: AbortSignal,
  ids: readonly string[] = [],
): Promise<Answer<Histories>> {
  const address =
    "/ngsi-ld/v1/temporal/entities" +
    query({
      type,
      id: ids.join(","),
      attrs: termOf(key),
      timerel: "after",
      timeAt: SINCE,
      limit: OBJECTS_MAX,
      options: "temporalValues",
    });
  const { body, ...rest } = await askJson<Evolution[]>(address, { signal, terms: true });
  return { ...rest, body: readHistories(body, key) };
}

/** Read the points of one key out of compact evolutions. */
export function readHistories(evolutions: readonly Evolution[], key: string): Histories {
  const read = new Map<string, readonly Point[]>();
  for (const evolution of evolutions) {
    for (const [name, points] of seriesOf(evolution, termOf(key))) {
      if (name === key) read.set(evolution.id, points);
    }
  }
  return read;
}

/** Give every series of a term: its key (with the source) and its points that are numbers. */
export function seriesOf(evolution: Evolution, term: string): [string, readonly Point[]][] {
  const given = evolution[term];
  const instances = (
    Array.isArray(given) ? given : given === undefined ? [] : [given]
  ) as Compact[];
  return instances.map(({ datasetId, values = [] }) => [
    datasetId === undefined ? term : `${term}@${datasetId.replace(DATASET_PREFIX, "")}`,
    values
      .filter((pair): pair is readonly [number, string] => typeof pair[0] === "number")
      .map(([value, at]) => ({ value, at: Date.parse(at) }))
      .sort((one, other) => one.at - other.at),
  ]);
}

/** Ask for every series of one attribute of some objects, of whatever source. */
export async function askSeries(
  type: string,
  term: string,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<Answer<readonly Series[]>> {
  const address =
    "/ngsi-ld/v1/temporal/entities" +
    query({
      type,
      id: ids.join(","),
      attrs: term,
      timerel: "after",
      timeAt: SINCE,
      limit: OBJECTS_MAX,
      options: "temporalValues",
    });
  const { body, ...rest } = await askJson<Evolution[]>(address, { signal, terms: true });
  const series = body.flatMap((one) =>
    seriesOf(one, term).map(([key, points]) => ({ id: one.id, key, points })),
  );
  return { ...rest, body: series.filter((one) => one.points.length > 0) };
}

export interface Series {
  readonly id: string;
  readonly key: string;
  readonly points: readonly Point[];
}

/** The last point at or before an instant; null when nothing was known yet. */
export function pointAt(points: readonly Point[], at: number): Point | null {
  let found: Point | null = null;
  for (const point of points) {
    if (point.at > at) break;
    found = point;
  }
  return found;
}
