// Who competes, and by which command.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bare } from "./servers/bare.js";
import { nginx } from "./servers/nginx.js";

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const REGISTER = new URL("../../build/host/register.js", import.meta.url).href;

/** Those that are measured with `register`, too. */
export const PIPES = ["send", "express.static", "serve-static", "sirv", "koa-send", "@fastify/static"];
/** Those that `register` would not change: sendoff moves their bytes already. */
const OURS = ["respond", "serveStatic", "accelerate"];
const OTHERS = ["nginx", "bun", "deno", "bare"];

export const registered = (/** @type {string} */ name) => `${name}+register`;
export const NAMES = [...OURS, ...OTHERS, ...PIPES.flatMap((name) => [name, registered(name)])];

/** Where the name is not what a reader would call it. @param {string} name */
export function called(name) {
  return { bun: "Bun.serve", deno: "Deno.serve", bare: "bare C", accelerate: "accelerate(send)" }[name] ?? name;
}

/**
 * @typedef {object} Runtime
 * @property {string} major
 * @property {string} binary
 * @property {"koffi" | "node"} ffi
 *
 * @typedef {object} Competitor
 * @property {string} name
 * @property {string} [node] the major version of the Node that runs it
 * @property {string} label
 * @property {string[]} argv the folder of files is appended
 * @property {NodeJS.ProcessEnv} [env] on top of ours
 * @property {(folder: string, root: string) => Promise<{ port?: number, argv: string[] }>} [configure]
 *   puts a configuration, or the server itself, into the folder first: what to append instead, and the port where the
 *   server will not say it
 */

/** The Nodes at hand: this process's own, by koffi, and the one of this folder's package.json, by node:ffi. @returns {Runtime[]} */
export function nodes() {
  const [major] = process.versions.node.split(".");
  /** @type {Runtime[]} */
  const found = [{ major, binary: process.execPath, ffi: "koffi" }];
  const binary = here("node_modules/node26/bin/node");
  if (major !== "26" && existsSync(binary)) found.push({ major: "26", binary, ffi: "node" });
  return found;
}

/**
 * The first of the commands that is installed, and what it says of itself; null where none is.
 *
 * @param {string[]} commands
 * @param {string} [flag]
 * @param {number} [status] wrk says its version and fails
 */
export function version(commands, flag = "--version", status = 0) {
  for (const command of commands) {
    const said = spawnSync(command, [flag], { encoding: "utf8" });
    if (said.status === status) return { command, version: `${said.stdout}${said.stderr}`.split("\n")[0].trim() };
  }
  return null;
}

export const tools = {
  nginx: version(["nginx", "/usr/sbin/nginx"], "-v"),
  bun: version([here("node_modules/.bin/bun")]),
  deno: version([here("node_modules/.bin/deno")]),
  /** The compiler of it, and of the slow clients. */
  bare: version(["cc"]),
};

/**
 * Those of `names` that are installed, what is compared side by side; and the names of those that are not.
 *
 * @param {string[]} names
 * @param {Runtime[]} runtimes
 * @returns {{ competitors: Competitor[], missing: string[] }}
 */
export function choose(names, runtimes) {
  const wanted = (/** @type {string} */ name) => names.includes(name);
  const missing = OTHERS.filter((name) => wanted(name) && tools[name] === null);
  const others = OTHERS.filter((name) => wanted(name) && tools[name] !== null).map(other);
  const [first, ...rest] = runtimes;
  const list = (/** @type {Runtime} */ runtime, /** @type {string[]} */ which) =>
    which.filter(wanted).map((name) => onNode(name, runtime));
  const files = ["serveStatic", "accelerate", ...PIPES.flatMap((name) => [name, registered(name)])];
  return {
    competitors: [
      ...list(first, ["respond"]),
      ...others,
      ...rest.flatMap((runtime) => list(runtime, ["respond"])),
      ...runtimes.flatMap((runtime) => list(runtime, files)),
    ],
    missing,
  };
}

/** @param {string} name @returns {Competitor} */
function other(name) {
  const { command } = /** @type {{ command: string }} */ (tools[name]);
  if (name === "nginx") return { name, label: called(name), argv: [command], configure: nginx };
  if (name === "bare") return { name, label: called(name), argv: [], configure: bare };
  if (name === "bun") return { name, label: called(name), argv: [command, here("servers/bun.js")] };
  return {
    name,
    label: called(name),
    argv: [command, "run", "--quiet", "--no-config", "--allow-net", "--allow-read", here("servers/deno.js")],
  };
}

/** @param {string} name @param {Runtime} runtime @returns {Competitor} */
function onNode(name, { major, binary, ffi }) {
  const [server, register] = name.split("+");
  return {
    name,
    node: major,
    label: `${called(name)}, Node ${major}`,
    argv: [binary, "--no-warnings", ...(register ? ["--import", REGISTER] : []), here("servers/node.js"), server],
    env: { NODE_ENV: "production", SENDOFF_FFI: ffi, SENDOFF_DEBUG: "1" },
  };
}
