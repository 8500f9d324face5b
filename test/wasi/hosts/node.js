// node:wasi, as Node, Deno and Bun have it: node node.js MODULE FOLDER ARGUMENTS… The folder is the only one that is opened.

import { readFileSync } from "node:fs";
import process from "node:process";
import { WASI } from "node:wasi";

const [path, folder, ...args] = process.argv.slice(2);
const wasi = new WASI({
  version: "preview1",
  args: ["sendoff", ...args],
  env: process.env,
  preopens: { [folder]: folder },
});
// Bun has no getImportObject.
const { instance } = await WebAssembly.instantiate(readFileSync(path), { wasi_snapshot_preview1: wasi.wasiImport });
// Since Node 20 start() answers with the code of proc_exit.
const code = wasi.start(instance);
if (code) process.exitCode = code;
