// Plane geometry of what is drawn: boxes, where a label stands, distances. Degrees in, metres out.

import type { Box } from "../api/layers";

const EARTH_RADIUS_M = 6_371_008.8;
const LABEL_CELLS = 12;
const LABEL_ROUNDS = 3;

type Position = GeoJSON.Position;

/** Give the box of geometries; null when they have no position. */
export function boxOf(geometries: readonly (GeoJSON.Geometry | null)[]): Box | null {
  let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const geometry of geometries) {
    if (geometry === null) continue;
    for (const [x = NaN, y = NaN] of positionsOf(geometry)) {
      west = Math.min(west, x);
      east = Math.max(east, x);
      south = Math.min(south, y);
      north = Math.max(north, y);
    }
  }
  return west <= east ? [west, south, east, north] : null;
}

export function* positionsOf(geometry: GeoJSON.Geometry): Generator<Position> {
  if (geometry.type === "GeometryCollection") {
    for (const part of geometry.geometries) yield* positionsOf(part);
  } else {
    yield* flat(geometry.coordinates);
  }
}

function* flat(given: unknown): Generator<Position> {
  if (!Array.isArray(given)) return;
  if (typeof given[0] === "number") yield given as Position;
  else for (const part of given) yield* flat(part);
}

/** Give where a label of a geometry stands: well inside of an area, in the middle of a line. */
export function labelPoint(geometry: GeoJSON.Geometry): Position | null {
  switch (geometry.type) {
    case "Point":
      return geometry.coordinates;
    case "Polygon":
      return inside(geometry.coordinates);
    case "MultiPolygon": {
      const sized = geometry.coordinates.map((rings) => ({ rings, size: area(rings[0] ?? []) }));
      sized.sort((one, other) => other.size - one.size);
      return sized[0] === undefined ? null : inside(sized[0].rings);
    }
    default: {
      const all = [...positionsOf(geometry)];
      return all[all.length >> 1] ?? null;
    }
  }
}

/** Find the point of an area that is far from its edge, by a grid that is refined around the best. */
function inside(rings: readonly Position[][]): Position | null {
  const box = boxOf([{ type: "Polygon", coordinates: [...rings] }]);
  if (box === null) return null;
  let [west, south, east, north] = box;
  let best: Position = [(west + east) / 2, (south + north) / 2];
  let depth = -Infinity;
  for (let round = 0; round < LABEL_ROUNDS; round += 1) {
    const [dx, dy] = [(east - west) / LABEL_CELLS, (north - south) / LABEL_CELLS];
    for (let i = 0; i < LABEL_CELLS; i += 1) {
      for (let j = 0; j < LABEL_CELLS; j += 1) {
        const point: Position = [west + (i + 0.5) * dx, south + (j + 0.5) * dy];
        const found = depthOf(point, rings);
        if (found > depth) [best, depth] = [point, found];
      }
    }
    const [x = 0, y = 0] = best;
    [west, south, east, north] = [x - dx, y - dy, x + dx, y + dy];
  }
  return best;
}

/** Distance to the nearest edge, negative outside. */
function depthOf([x = 0, y = 0]: Position, rings: readonly Position[][]): number {
  let within = false;
  let nearest = Infinity;
  for (const ring of rings) {
    for (let at = 1; at < ring.length; at += 1) {
      const [ax = 0, ay = 0] = ring[at - 1] ?? [];
      const [bx = 0, by = 0] = ring[at] ?? [];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
      const [dx, dy] = [bx - ax, by - ay];
      const along = Math.max(
        0,
        Math.min(1, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)),
      );
      nearest = Math.min(nearest, (x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2);
    }
  }
  return within ? nearest : -nearest;
}

/** Whether a point lies in an area. */
export function covers(geometry: GeoJSON.Geometry | null, point: Position): boolean {
  if (geometry?.type === "Polygon") return depthOf(point, geometry.coordinates) >= 0;
  if (geometry?.type === "MultiPolygon") {
    return geometry.coordinates.some((rings) => depthOf(point, rings) >= 0);
  }
  return false;
}

function area(ring: readonly Position[]): number {
  let sum = 0;
  for (let at = 1; at < ring.length; at += 1) {
    const [ax = 0, ay = 0] = ring[at - 1] ?? [];
    const [bx = 0, by = 0] = ring[at] ?? [];
    sum += ax * by - bx * ay;
  }
  return Math.abs(sum) / 2;
}

/** Great-circle distance in metres. */
export function distanceM([lon = 0, lat = 0]: Position, [lon2 = 0, lat2 = 0]: Position): number {
  const rad = Math.PI / 180;
  const h =
    Math.sin(((lat2 - lat) * rad) / 2) ** 2 +
    Math.cos(lat * rad) * Math.cos(lat2 * rad) * Math.sin(((lon2 - lon) * rad) / 2) ** 2;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** The box around a point that holds everything within a distance. */
export function boxAround([lon = 0, lat = 0]: Position, metres: number): Box {
  const dy = (metres / EARTH_RADIUS_M) * (180 / Math.PI);
  const dx = dy / Math.max(0.01, Math.cos((lat * Math.PI) / 180));
  return [lon - dx, lat - dy, lon + dx, lat + dy];
}

/** Whether two boxes touch. */
export function boxesMeet(one: Box, other: Box): boolean {
  return one[0] <= other[2] && other[0] <= one[2] && one[1] <= other[3] && other[1] <= one[3];
}
