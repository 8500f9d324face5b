// The sizes of the next call or copy: arithmetic only. Sizes are bytes.

const PAGE: i64 = 4096;

/** Bytes of a doorbell: a transfer holds this much memory while it is stalled. */
const BELL: i64 = 512;

/** The most one run moves natively, so that one fast reader can't hold the loop (nginx: sendfile_max_chunk). */
export const CHUNK: i64 = 1 << 20;

/** Bytes of one read by the thread pool, from a cold disk. */
const COLD: i64 = 256 << 10;

/** Bytes that count as cold after a cold byte, before the page cache is checked again. */
export const STRETCH: i64 = 4 << 20;

/**
 * Farther than the kernel's readahead. Nearer warm bytes may only be the readahead of the pool's own reads; the first
 * reader to reach them makes the kernel read on, and waits for that.
 */
export const FAR: i64 = 32 << 20;

/** Bytes of one write of the copy path. */
const COPY: i64 = 512 << 10;

/** A body up to here goes with its header as one send(2) of read bytes: no dearer than sendfile(2), and two calls fewer. */
export const SMALL: i64 = 16 << 10;

/** The count for sendfile(2): never more than is left, or old kernels hold back the tail. */
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
