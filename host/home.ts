// Where this package is: its own modules, and the packages that are loaded only when they are needed. A bundle has neither
// as files, so it takes those of the package `sendoff` in the node_modules that it sees.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { version } from "./wasm.js";

/** This module, or the bundle that it is in: in one of CommonJS import.meta is empty. */
export const here = import.meta.url ?? pathToFileURL(__filename).href;

/** The package's manifest. @throws MODULE_NOT_FOUND in a bundle that sees no package. */
const manifest = (): string => createRequire(here).resolve("sendoff/package.json");

/** Loads a package. @throws MODULE_NOT_FOUND */
export function load(name: string): unknown {
  let from = here;
  try {
    from = manifest();
  } catch {}
  return createRequire(from)(name);
}

let found: URL | string | undefined;

/** The folder that this module is in, as threads begin with modules of it; or why there is none. Looked for once. */
export function folder(): URL | string {
  found ??= find();
  return found;
}

function find(): URL | string {
  try {
    const path = manifest();
    const installed = JSON.parse(readFileSync(path, "utf8")).version;
    if (installed === version) return new URL("build/host/", pathToFileURL(path));
    return `this bundle has sendoff ${version}, and its threads begin in the package, which is ${installed}`;
  } catch (error) {
    return `the threads of a bundle begin in the package sendoff: ${(error as Error).message.split("\n")[0]}`;
  }
}
