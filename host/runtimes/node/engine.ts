// Refuses a Node that is too old, at the import, with one clear line; later it would fail with something undefined.

import process from "node:process";

/** As `engines` in package.json. */
const NODE = 20;

/** @throws Error if this is an older Node. */
export function checkEngine(): void {
  const { node } = process.versions;
  if (Number.parseInt(node, 10) < NODE) throw new Error(`sendoff: Node >= ${NODE} is needed (this is ${node})`);
}
