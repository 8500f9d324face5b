// The suites: what each runs, and which folders' packages it needs. A test file is run in a process of its own.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { arm64, musl } from "./elsewhere.js";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * @typedef {object} Entry
 * @property {string} name
 * @property {string[]} command
 * @property {Record<string, string>} [env]
 * @property {boolean} [program] It tells its totals itself, as uvu does, or by its status; and is listened to.
 *
 * @typedef {object} Suite
 * @property {string} about
 * @property {string[]} packages folders
 * @property {() => string | null} [lacks] why it is skipped here
 * @property {() => Entry[]} entries asked for once the packages are there
 */

/** About a runtime of their own: elsewhere each of their rows would be skipped. */
const OWN = ["deno", "bun"];

/** Of files that take long: they are begun first, so that none is left alone at the end. */
const LONG = [
  "server",
  "cli.serve",
  "cli",
  "cli.options",
  "exit",
  "cli.log",
  "bindings",
  "pitfalls.server",
  "register",
  "server.app",
  "pitfalls.kernel",
  "simulation",
  "wasi",
  "pitfalls.sockets",
  "encrypted",
  "server.options",
  "server.log",
  "ranges-multi",
  "representations",
  "bsd",
  "watch",
  "cli.listing",
  "docs",
];
const rank = (name) => (LONG.includes(name) ? LONG.indexOf(name) : LONG.length);

/** Names of the test files of an ending, without it, but for a runtime's own. */
function named(ending) {
  const all = readdirSync(join(ROOT, "test")).filter((name) => name.endsWith(`.${ending}.ts`));
  return all
    .map((name) => name.slice(0, -`.${ending}.ts`.length))
    .filter((name) => !OWN.includes(name))
    .sort((a, b) => rank(a) - rank(b));
}

const file = (name, ending) => `build/test/${name}.${ending}.js`;

/** @returns {Entry[]} */
const onNode = (names, ending) => names.map((name) => ({ name, command: [process.execPath, file(name, ending)] }));

/** A run of test/simulation. */
function simulated(name, ...options) {
  return { name, command: [process.execPath, "build/test/simulation/run.js", ...options], program: true };
}

/** What says something about the runtime: the core, the exit half, transfers, the web half, the command. */
const PORTABLE = [
  ...["abi", "core.faults", "core.records", "core.transitions", "simulation", "exit-core", "request", "connection"],
  ...["exit-recipe", "exit-ways"],
  ...["conformance", "pitfalls.files", "pitfalls.kernel", "pitfalls.sockets", "pitfalls.streams", "drain"],
  ...["respond", "body", "static", "hostile", "lent", "close", "register", "abandoned", "web", "chunked"],
  ...["representations", "dates"],
  ...["server", "server.log", "server.options", "server.app", "server.drain", "server.metrics", "server.handover"],
  "pitfalls.server",
  ...[
    "cli",
    "cli.auth",
    "cli.backlog",
    "cli.config",
    "cli.listing",
    "cli.log",
    "cli.options",
    "cli.restarts",
    "cli.serve",
    "cli.page",
    "cli.tar",
    "cli.terminal",
    "cli.ends",
  ],
];

/** Of a server, and long. */
const LOAD = ["server.faults", "server.load"];

/** Of programs that are started, restarted and ended. */
const PROCESSES = ["bindings", "cli.ends", "cli.restarts", "exit", "register.files", "server.handover"];

/** Of `sendoff serve`, by clients and by signals. */
const COMMAND = ["auth", "backlog", "config", "listing", "log", "options", "serve", "tar", "terminal"].map(
  (name) => `cli.${name}`,
);

/** Those that are in suites of their own. */
const APART = ["docs", ...LOAD, ...PROCESSES, ...COMMAND];

/** The exit rows are about children and their wait status: Node watches, the runtime is the child's. */
const WATCHED = ["exit"];

const installed = (path) => join(ROOT, "test/runtimes/node_modules", path);

/** @type {Record<string, { path: string, args: string[], files(): string[], watched: string[] }>} */
const RUNTIMES = {
  node22: {
    path: installed("node22/bin/node"),
    args: [],
    files: () => [...PORTABLE, ...WATCHED],
    watched: [],
  },
  node24: {
    path: installed("node24/bin/node"),
    args: [],
    files: () => [...PORTABLE, ...WATCHED],
    watched: [],
  },
  node26: { path: installed("node26/bin/node"), args: [], files: () => named("test"), watched: [] },
  deno: {
    path: installed(".bin/deno"),
    args: ["run", "-A", "--no-lock"],
    files: () => [...PORTABLE, "deno"],
    watched: WATCHED,
  },
  bun: { path: installed(".bin/bun"), args: [], files: () => [...PORTABLE, "bun"], watched: WATCHED },
};

/** @returns {Entry[]} */
function onRuntime(runtime) {
  const { path, args, files, watched } = RUNTIMES[runtime];
  if (!existsSync(path)) return [];
  const version = spawnSync(path, ["--version"], { encoding: "utf8" }).stdout.split("\n")[0];
  console.log(`${runtime} is ${version}`);
  const env = { SENDOFF_TEST_RUNTIME: runtime.replace(/\d+$/, ""), SENDOFF_TEST_RUNTIME_PATH: path };
  return [
    ...files().map((name) => ({ name: `${runtime} ${name}`, command: [path, ...args, file(name, "test")], env })),
    ...watched.map((name) => ({ name: `${runtime} ${name}`, command: [process.execPath, file(name, "test")], env })),
  ];
}

const runtimes = Object.fromEntries(
  Object.keys(RUNTIMES).map((name) => [
    name,
    { about: `the tests on ${name}`, packages: ["test/runtimes"], entries: () => onRuntime(name) },
  ]),
);

/** On a server's loop: what depends on the architecture. An emulated test takes ten times as long. */
const LOOP = {
  server: [
    "loop: a file that changes is answered as it is now",
    "loop: close() lets an answer end, ends idle connections, and frees every fd",
    "1,000 aborted downloads leave no fd, and the loop serves on",
    "handed over is kept: a connection goes on with node:http, file by file",
    "a thread that dies in the middle of downloads: another one serves on the same listener",
    "a Unix socket: its path is the address, is taken once, and goes with the server",
    "maxConnections counts those that were handed over, and of all loops",
    "a loop learns ranges and conditions when they are first asked for, and answers all of them",
    "a client that reads nothing has the kernel hold little of a long answer, not of a short one",
    "statx(2) says what fs.stat does, with a libc that has it and without",
  ],
  "pitfalls.server": [
    "S14 a client that half-closes is answered: at once, between pieces, and in the middle of an answer",
    "S22 loop: a client that says little wakes it up to three times",
    "S25 a child process gets no socket, eventfd, epoll or file of a server",
    "S26 a FIFO, a device, and what is beside a file: nothing is opened that waits, or that nobody may see",
  ],
};

/** By a program that runs the runtime. @returns {Entry[]} */
function emulated(suite, command, names, env = {}) {
  return names.map((name) => ({
    name: `${suite} ${name}`,
    command: [command, file(name, "test")],
    env: { ...env, ...(LOOP[name] === undefined ? {} : { SENDOFF_TEST_ONLY: LOOP[name].join("\n") }) },
  }));
}

/** @type {Record<string, Suite>} */
const ELSEWHERE = {
  arm64: {
    about: "Node for arm64, by qemu-user",
    packages: ["test/arm64"],
    lacks: arm64.lacks,
    entries() {
      arm64.prepare();
      return emulated("arm64", "test/arm64/node", ["server", "pitfalls.server", "conformance", "systems"]);
    },
  },
  musl: {
    about: "Bun for musl",
    packages: ["test/musl"],
    lacks: musl.lacks,
    entries() {
      musl.prepare();
      const env = { LD_LIBRARY_PATH: join(ROOT, "build/musl") };
      const names = ["conformance", "pitfalls.files", "pitfalls.kernel", "respond", "static", "bun"];
      return emulated("musl", "test/musl/node_modules/bun/bin/bun", names, env);
    },
  },
};

/** @type {Record<string, Suite>} */
export const SUITES = {
  fast: {
    about: "what npm test runs",
    packages: [],
    entries: () =>
      onNode(
        named("test").filter((name) => !APART.includes(name)),
        "test",
      ),
  },
  load: {
    about: "a server whose system calls fail, that has few fds, and thousands of connections",
    packages: [],
    entries: () => onNode(LOAD, "test"),
  },
  processes: {
    about: "programs that are started, restarted and ended",
    packages: [],
    entries: () => onNode(PROCESSES, "test"),
  },
  command: {
    about: "sendoff serve: its options, its pages, its log",
    packages: [],
    entries: () => onNode(COMMAND, "test"),
  },
  http: {
    about: "the examples and browsers, by real clients",
    packages: ["examples", "test/browser"],
    entries: () =>
      onNode(
        named("long").filter((name) => name !== "wasi"),
        "long",
      ),
  },
  docs: {
    about: "the examples of the pages, the links, the API reference",
    packages: ["examples", "bench/exit-compare", "docs/api"],
    entries: () => [
      ...onNode(["docs"], "test"),
      {
        name: "API reference",
        command: [process.execPath, "docs/api/node_modules/typedoc/bin/typedoc", "--options", "docs/api/typedoc.json"],
        program: true,
      },
    ],
  },
  simulation: {
    about: "the core's decisions, played by the ten thousand",
    packages: [],
    entries: () => [
      simulated("simulation", "--schedules", "50000", "--seed", "1"),
      simulated("every order", "--exhaustive"),
      simulated("connections", "--connections", "--schedules", "20000", "--seed", "1"),
    ],
  },
  mutations: {
    about: "whether mistakes are noticed",
    packages: [],
    entries: () => [{ name: "mutations", command: [process.execPath, "build/test/mutations/run.js"], program: true }],
  },
  ...runtimes,
  ...ELSEWHERE,
  wasi: {
    about: "the WASI command on each host that npm has",
    packages: ["test/wasi", "test/runtimes"],
    entries: () => onNode(["wasi"], "long"),
  },
  package: {
    about: "the package as it is published",
    packages: ["test/package"],
    entries: () => onNode(named("pack"), "pack"),
  },
  fleet: {
    about: "restarts under load: of three servers behind HAProxy, and of one by hand-over",
    packages: [],
    entries: () => onNode(named("fleet"), "fleet"),
  },
  network: {
    about: "delay, loss and worse, in network namespaces: as root",
    packages: [],
    entries: () => onNode(named("net"), "net"),
  },
};

/** All test files that need nothing but Node: what a file's name is looked for in. @type {Suite} */
export const ANY = {
  about: "every test file",
  packages: [],
  entries: () =>
    onNode(
      named("test").filter((name) => name !== "docs"),
      "test",
    ),
};

/** Names for several suites. @type {Record<string, string[]>} */
export const GROUPS = {
  runtimes: Object.keys(RUNTIMES),
  all: Object.keys(SUITES),
  others: Object.keys(SUITES).filter((name) => name !== "fast"),
};
