// jco with preview2-shim: the command as a component, in Node: node jco.js MODULE FOLDER ARGUMENTS…

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { componentNew, preview1AdapterCommandPath, transpile } from "@bytecodealliance/jco";
import { WASIShim } from "@bytecodealliance/preview2-shim/instantiation";

const [path, folder, ...args] = process.argv.slice(2);
const adapter = readFileSync(preview1AdapterCommandPath());
const component = await componentNew(readFileSync(path), [["wasi_snapshot_preview1", adapter]]);
const { files } = await transpile(component, { name: "sendoff", instantiation: "async", noTypescript: true });

const place = mkdtempSync(join(tmpdir(), "sendoff-jco-"));
const script = join(place, "sendoff.mjs");
writeFileSync(script, files["sendoff.js"]);
const { instantiate } = await import(pathToFileURL(script).href);
rmSync(place, { recursive: true });

const sandbox = { args: ["sendoff", ...args], env: { ...process.env }, preopens: { [folder]: folder } };
const imports = new WASIShim({ sandbox }).getImportObject();
const { run } = await instantiate((name) => WebAssembly.compile(files[name]), imports);
// A failure is proc_exit, which ends the process.
run.run();
