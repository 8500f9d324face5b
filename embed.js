// Writes build/core.wasm into a module of its own, build/host/wasm.js, part of `npm run build:core`: a bundler
// takes a module along, and a file it does not know of it leaves behind.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const here = (path) => new URL(path, import.meta.url);

const text = readFileSync(here("build/core.wasm"), "base64");
mkdirSync(here("build/host/"), { recursive: true });
writeFileSync(
  here("build/host/wasm.js"),
  `// build/core.wasm, written by embed.js.

import { Buffer } from "node:buffer";

export const wasm = () => Buffer.from("${text}", "base64");
`,
);
