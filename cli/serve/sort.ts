// A merge sort that lets the event loop go on: 50,000 entries at once would hold it for a tenth of a second.

import { due, turn } from "./pace.js";

/** Entries that are sorted, or merged, before the clock is looked at. */
const RUN = 512;

export async function sorted<T>(
  items: readonly T[],
  compare: (a: T, b: T) => number,
  signal: AbortSignal,
): Promise<T[]> {
  let runs: T[][] = [];
  for (let i = 0; i < items.length; i += RUN) {
    if (due()) await turn(signal);
    runs.push(items.slice(i, i + RUN).sort(compare));
  }
  while (runs.length > 1) {
    const longer: T[][] = [];
    for (let i = 0; i < runs.length; i += 2) {
      longer.push(await merged(runs[i] as T[], runs[i + 1] ?? [], compare, signal));
    }
    runs = longer;
  }
  return runs[0] ?? [];
}

async function merged<T>(
  a: readonly T[],
  b: readonly T[],
  compare: (a: T, b: T) => number,
  signal: AbortSignal,
): Promise<T[]> {
  const all: T[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const first = j === b.length || (i < a.length && compare(a[i] as T, b[j] as T) <= 0);
    all.push((first ? a[i++] : b[j++]) as T);
    if (all.length % RUN === 0 && due()) await turn(signal);
  }
  return all;
}
