// Counts bytes sent natively while something runs, at the calls themselves.

import { host } from "#process";

/** Runs, and returns the result with the bytes that sendfile(2) and send(2) took; NaN if neither can be called. */
export async function counting<T>(run: () => Promise<T>): Promise<[T, number]> {
  const { sys } = host().shared;
  if (sys === null) return [await run(), Number.NaN];
  const before = { sendfile: sys.sendfile, send: sys.send };
  let moved = 0;
  const count = (n: number) => {
    if (n > 0) moved += n;
    return n;
  };
  sys.sendfile = (...args) => count(before.sendfile(...args));
  sys.send = (...args) => count(before.send(...args));
  try {
    return [await run(), moved];
  } finally {
    Object.assign(sys, before);
  }
}
