// The package as a program imports it, from this checkout or from another one to compare with.

import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** This checkout. */
export const HERE = fileURLToPath(new URL("../..", import.meta.url));

/** The URL of an entry point, "sendoff/http" for example, of a built checkout. @param {string} name @param {string} [checkout] */
export function entry(name, checkout = HERE) {
  return pathToFileURL(createRequire(join(checkout, "package.json")).resolve(name)).href;
}
