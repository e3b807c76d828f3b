// What a written search means: coordinates, and how well a name fits. Pure.

/** Coordinates: latitude and longitude in either order, as far as they tell themselves apart. */
export function readPlace(text: string): { lon: number; lat: number } | null {
  const match = PLACE.exec(text);
  if (match === null) return null;
  const [, first = "", north = "", second = "", east = ""] = match;
  const [one, other] = [signed(first, north), signed(second, east)];
  const swapped = /[EW]/i.test(north) || /[NS]/i.test(east) || Math.abs(one) > 90;
  const [lat, lon] = swapped ? [other, one] : [one, other];
  return Math.abs(lat) <= 85 && Math.abs(lon) <= 180 ? { lat, lon } : null;
}

const PLACE =
  /^\s*(-?\d+(?:\.\d+)?)\s*°?\s*([NSEW]?)\s*[,;\s，]\s*(-?\d+(?:\.\d+)?)\s*°?\s*([NSEW]?)\s*$/i;

function signed(number: string, letter: string): number {
  return /[SW]/i.test(letter) ? -Number(number) : Number(number);
}

/** How well a name fits: 3 the same, 2 its beginning, 1 somewhere in it, 0 not at all. */
export function scored(name: string, text: string): number {
  const [own, wanted] = [folded(name), folded(text)];
  if (own === wanted) return 3;
  if (own.startsWith(wanted)) return 2;
  return own.includes(wanted) ? 1 : 0;
}

function folded(text: string): string {
  return text
    .toLowerCase()
    .normalize("NFKD")
    .replace(/[\u0300-\u036f'’]/g, "")
    .trim();
}
