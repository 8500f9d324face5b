// Bytes that encode their position, and how to compare them.

import * as assert from "uvu/assert";

/** Marsaglia's xorshift32: the same numbers for the same seed, on every machine. */
export function random(seed: number): (below: number) => number {
  let x = seed | 0 || 1;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

/** `size` bytes of which no two pages are alike. */
export function pattern(size: number, seed = 1): Buffer<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(size / 4));
  const next = random(seed);
  for (let i = 0; i < words.length; i++) words[i] = next(0xffffffff);
  return Buffer.from(words.buffer, 0, size);
}

/** Compares byte by byte; shows the first difference, not a diff of megabytes. */
export function same(got: Uint8Array, wanted: Uint8Array, what = "bytes"): void {
  if (Buffer.compare(got, wanted) === 0) return;
  let at = 0;
  while (at < got.length && at < wanted.length && got[at] === wanted[at]) at++;
  assert.unreachable(`${what}: got ${got.length}, wanted ${wanted.length}, they differ from ${at} on`);
}
