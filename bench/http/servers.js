// Who competes, and by which command.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { entry } from "../lib/ours.js";
import { bare } from "./servers/bare.js";
import { caddy } from "./servers/caddy.js";
import { h2o } from "./servers/h2o.js";
import { lighttpd } from "./servers/lighttpd.js";
import { nginx } from "./servers/nginx.js";

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

/** Those that are measured with `register`, too. */
export const PIPES = [
  "pipe",
  "pipe-chunked",
  "send",
  "express.static",
  "serve-static",
  "sirv",
  "koa-send",
  "@fastify/static",
];
/** Frameworks: `register` changes what they do with a file, and little else of theirs. */
export const FRAMEWORKS = ["nest", "hono", "srvx"];
const REGISTERED = [...PIPES, ...FRAMEWORKS];
/** Those that `register` would not change: sendoff moves their bytes already. */
const OURS = [
  ...["respond", "respond(path)", "serveStatic", "loop", "accelerate"],
  ...["respond-https", "serveStatic-https", "fileResponse"],
];
const OTHERS = ["nginx", "bun", "deno", "bare"];
/** Over TLS; the bytes are in the memory of the first. */
const ENCRYPTED = ["https", "respond-https", "serveStatic-https"];

export const registered = (/** @type {string} */ name) => `${name}+register`;
export const NAMES = [
  ...new Set([...OURS, ...OTHERS, ...ENCRYPTED, ...REGISTERED.flatMap((name) => [name, registered(name)])]),
];

/** Where the name is not what a reader would call it. @param {string} name */
export function called(name) {
  const names = {
    bun: "Bun.serve",
    deno: "Deno.serve",
    caddy: "Caddy",
    bare: "bare C",
    accelerate: "accelerate(send)",
    loop: "createFileServer",
    "loop-idle": "createFileServer",
    https: "node:https from memory",
  };
  return names[name] ?? name;
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
 * @property {boolean} [former] sendoff is that of the other checkout
 * @property {boolean} [encrypted] it speaks HTTPS
 * @property {string} label
 * @property {string[]} argv the folder of files is appended
 * @property {NodeJS.ProcessEnv} [env] on top of ours
 * @property {(folder: string, root: string) => Promise<{ port?: number, argv: string[], log?: string }>} [configure]
 *   puts a configuration, or the server itself, into the folder first: what to append instead, the port where the
 *   server will not say it, and where its access log goes
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
  lighttpd: version(["lighttpd", "/usr/sbin/lighttpd"], "-v"),
  h2o: version(["h2o"]),
  caddy: version(["caddy"], "version"),
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
 * @param {string} [former] another checkout, whose sendoff is measured beside ours
 * @returns {{ competitors: Competitor[], missing: string[] }}
 */
export function choose(names, runtimes, former) {
  const wanted = (/** @type {string} */ name) => names.includes(name);
  const missing = OTHERS.filter((name) => wanted(name) && tools[name] === null);
  const others = OTHERS.filter((name) => wanted(name) && tools[name] !== null).map(other);
  const [first, ...rest] = runtimes;
  const list = (/** @type {Runtime} */ runtime, /** @type {string[]} */ which) =>
    which.filter(wanted).flatMap((name) => {
      const changes = OURS.includes(name) || name.includes("+");
      const ours = onNode(name, runtime);
      return former !== undefined && changes ? [ours, onNode(name, runtime, former)] : [ours];
    });
  const files = [
    ...["respond(path)", "serveStatic", "loop", "accelerate", "fileResponse", ...ENCRYPTED],
    ...REGISTERED.flatMap((name) => [name, registered(name)]),
  ];
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

/** One of `tools`, which has to be installed. @param {string} name @returns {Competitor} */
export function other(name) {
  const { command } = /** @type {{ command: string }} */ (tools[name]);
  if (name === "nginx") return { name, label: called(name), argv: [command], configure: nginx };
  if (name === "lighttpd") return { name, label: called(name), argv: [command], configure: lighttpd };
  if (name === "h2o") return { name, label: called(name), argv: [command], configure: h2o };
  if (name === "caddy") return { name, label: called(name), argv: [command], configure: caddy };
  if (name === "bare") return { name, label: called(name), argv: [], configure: bare };
  if (name === "bun") return { name, label: called(name), argv: [command, here("servers/bun.js")] };
  return {
    name,
    label: called(name),
    argv: [command, "run", "--quiet", "--no-config", "--allow-net", "--allow-read", here("servers/deno.js")],
  };
}

/** @param {string} name @param {Runtime} runtime @param {string} [former] @returns {Competitor} */
export function onNode(name, { major, binary, ffi }, former) {
  const [server, register] = name.split("+");
  const script = here("servers/node.js");
  const imports = register ? ["--import", entry("sendoff/register", former)] : [];
  return {
    name,
    node: major,
    former: former !== undefined,
    encrypted: ENCRYPTED.includes(name),
    label: `${called(name)}, Node ${major}${former === undefined ? "" : ", former"}`,
    argv: [binary, "--no-warnings", ...imports, script, server],
    // The folder of files comes before the checkout.
    ...(former === undefined ? {} : { configure: async (_folder, root) => ({ argv: [root, former] }) }),
    env: { NODE_ENV: "production", SENDOFF_FFI: ffi, SENDOFF_DEBUG: "1" },
  };
}
