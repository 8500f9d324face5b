// How much to ask for next: arithmetic only. Sizes are bytes.

const PAGE: i64 = 4096;

/** What a doorbell copies: a stalled transfer holds as much memory for as long as it is stalled. */
const BELL: i64 = 512;

/** The most one run moves natively, so that one fast reader can't hold the loop (nginx: sendfile_max_chunk). */
export const CHUNK: i64 = 1 << 20;

/** What one read of the pool fetches where the disk is cold. */
const COLD: i64 = 256 << 10;

/** How far a cold spot is taken to reach before the page cache is asked again. */
export const STRETCH: i64 = 4 << 20;

/**
 * Farther than the kernel reads ahead of a reader. Warm bytes within it may only be what the pool's own
 * reads drew in; and whoever comes there first makes the kernel read on, and waits for that.
 */
export const FAR: i64 = 32 << 20;

/** What one write of the copy path carries. */
const COPY: i64 = 512 << 10;

/** A body up to here goes with its header as one send(2) of read bytes: no dearer than sendfile(2), and two calls fewer. */
export const SMALL: i64 = 16 << 10;

/** What to ask sendfile(2) for: never more than is left, or old kernels hold back the tail. */
export function ask(left: i64, budget: i64): i64 {
  return min(left, min(budget, CHUNK));
}

/** The doorbell: up to the next multiple of BELL. */
export function doorbellSize(position: i64, left: i64): i64 {
  return min(left, BELL - (position & (BELL - 1)));
}

/** A cold read: about COLD, up to a page boundary. */
export function cold(position: i64, left: i64): i64 {
  return min(left, ((position + COLD) & ~(PAGE - 1)) - position);
}

/** A plain copy: up to a multiple of COPY, so that reads stay aligned. */
export function copy(position: i64, left: i64): i64 {
  return min(left, COPY - (position & (COPY - 1)));
}
