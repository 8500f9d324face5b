// The competitors that are commands: `sendoff serve`, on each runtime and as it was before, and the static servers of npm.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../http/servers/port.js";
import { called, tools } from "../http/servers.js";
import { HERE } from "../lib/ours.js";

/**
 * @typedef {import("../http/servers.js").Competitor} Competitor
 * @typedef {import("../http/servers.js").Runtime} Runtime
 */

/** `sendoff serve` of a built checkout. @param {Runtime} runtime @param {string} [checkout] @returns {Competitor} */
export function serve({ major, binary, ffi }, checkout = HERE) {
  const label = `sendoff serve -q, Node ${major}${checkout === HERE ? "" : ", before"}`;
  return { ...command(label, [binary, ...sendoff(checkout), "-q"]), node: major, env: { SENDOFF_FFI: ffi } };
}

/** The same on another runtime; null where that is not installed. @param {"bun" | "deno"} name @returns {Competitor | null} */
export function serveOn(name) {
  const tool = tools[name];
  if (tool === null) return null;
  const [label, run] = name === "bun" ? ["Bun", []] : ["Deno", ["run", "-A", "--no-lock"]];
  return command(`sendoff serve -q, ${label}`, [tool.command, ...run, ...sendoff(HERE), "-q"]);
}

/** With its log in a file, and the fields of nginx's own format. @param {Runtime} runtime @returns {Competitor} */
export function serveLogged({ major, binary, ffi }) {
  const argv = [binary, ...sendoff(HERE), "--log-format", "combined"];
  return {
    name: "serve",
    node: major,
    label: `sendoff serve, Node ${major}`,
    argv: ["sh", "-c", 'log=$1; shift; exec "$@" > "$log"', "sh"],
    env: { SENDOFF_FFI: ffi },
    configure: async (folder, root) => {
      const port = await freePort();
      const log = join(folder, "access.log");
      return { port, argv: [log, ...argv, "--port", `${port}`, root], log };
    },
  };
}

/** Builds another commit of ours into a folder; returns the checkout. @param {string} folder @param {string} ref */
export function built(folder, ref) {
  const checkout = join(folder, "before");
  mkdirSync(checkout);
  const files = execFileSync("git", ["archive", ref], { cwd: HERE, maxBuffer: 1 << 30 });
  execFileSync("tar", ["-x", "-C", checkout], { input: files });
  // It builds as well: the package's `prepare`.
  execFileSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: checkout, stdio: ["ignore", "ignore", "inherit"] });
  return checkout;
}

const PACKAGES = join(HERE, "bench/http/node_modules");
/** npm's, each with what its users have; none is asked to log, to compress, or whether there is a newer one. */
const NPM = {
  /** Without --dev it lists the folder, and makes all headers, once. */
  "sirv-cli": { bin: "sirv", options: ["--quiet", "--host", "127.0.0.1"] },
  serve: {
    bin: "serve",
    options: ["--no-request-logging", "--no-compression", "--no-clipboard", "--no-port-switching"],
  },
  "http-server": { bin: "http-server", options: ["--silent", "-a", "127.0.0.1"] },
};

/** null where it is not installed. @param {keyof typeof NPM} name @param {Runtime} runtime @returns {Competitor | null} */
export function ofNpm(name, { major, binary }) {
  const { bin, options } = NPM[name];
  const script = join(PACKAGES, ".bin", bin);
  if (!existsSync(script)) return null;
  const port = (/** @type {number} */ at) => (name === "serve" ? ["-l", `tcp://127.0.0.1:${at}`] : ["-p", `${at}`]);
  return {
    ...command(`${called(name)}, Node ${major}`, [binary, script, ...options], port),
    node: major,
    env: { NODE_ENV: "production", NO_UPDATE_CHECK: "1" },
  };
}

/** Their versions; null for what is not installed. */
export function npmVersions() {
  return Object.fromEntries(
    Object.keys(NPM).map((name) => {
      const file = join(PACKAGES, name, "package.json");
      return [name, existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).version : null];
    }),
  );
}

const sendoff = (/** @type {string} */ checkout) => [join(checkout, "build/cli/sendoff.js"), "serve"];

/** @param {string} label @param {string[]} argv @param {(port: number) => string[]} [options] @returns {Competitor} */
function command(label, argv, options = (port) => ["--port", `${port}`]) {
  return {
    name: label,
    label,
    argv,
    configure: async (_folder, root) => {
      const port = await freePort();
      return { port, argv: [...options(port), root] };
    },
  };
}
