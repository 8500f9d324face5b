// Both builds of the core, booted with system calls that a test lends: what is promised of one build
// is tested on the other too.

import { readFileSync } from "node:fs";
import { boot, type Core, type Imports } from "../../host/core.js";
import { type Suite, suite } from "./suite.js";

export interface Build {
  readonly name: "debug" | "release";
  readonly bytes: Uint8Array;
  /** A fresh instance: nothing that another one has learnt is known to it. */
  boot(imports?: Partial<Imports>): Core;
}

/** An import that must not be called. */
const never = () => {
  throw new Error("an import was called");
};

function build(name: Build["name"], file: string): Build {
  const bytes = readFileSync(new URL(`../../${file}`, import.meta.url));
  return {
    name,
    bytes,
    boot: (imports) => boot(bytes, { sendfile: never, read: never, send: never, ...imports }),
  };
}

/** The modules lie beside the compiled tests, in build/. */
export const BUILDS: readonly Build[] = [build("debug", "core.debug.wasm"), build("release", "core.wasm")];

/** Writes a suite once and runs it for each of debug, release. */
export function each(name: string, write: (test: Suite, build: Build) => void): void {
  for (const build of BUILDS) {
    const test = suite(`${name}, ${build.name}`);
    write(test, build);
    test.run();
  }
}
