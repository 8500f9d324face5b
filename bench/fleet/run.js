// npm run bench -- fleet: requests that fail while three servers behind HAProxy are restarted in turn, by sendoff and by the
// packages there are for that.
//
//   node bench/fleet/run.js [--only NAME,…] [--rounds N] [--json FILE]
//
// 64 clients of small files over connections that they keep, and 8 downloads of 16 MiB at 20 MB/s: the rig of `npm run test:fleet`.

import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { table } from "../lib/numbers.js";
import { list, whole } from "../lib/options.js";
import { machine, output, write } from "../lib/rig.js";

const LIB = new URL("../../build/test/lib/fleet.js", import.meta.url);
if (!existsSync(LIB)) throw new Error("npm run build comes first");
const { Balancer, freePorts, LARGE, Load, NAMES, release, serve, SMALL, started } = await import(LIB.href);

const SERVER = fileURLToPath(new URL("server.mjs", import.meta.url));
const PACKAGES = ["node", "http-terminator", "@godaddy/terminus", "close-with-grace"];
const ALL = ["sendoff", ...PACKAGES];
/** A server that has not ended by then is killed: no less than each was given, in ms. */
const PATIENCE = 40_000;

const { values } = parseArgs({
  options: {
    only: { type: "string", default: ALL.join() },
    rounds: { type: "string", default: "3" },
    json: { type: "string" },
  },
});
const only = list("only", values.only, ALL);
const rounds = whole("rounds", values.rounds, 1000);
const haproxy = output("haproxy", ["-v"])?.split("\n")[0];
if (haproxy === undefined) throw new Error("haproxy is not installed");

const scratch = mkdtempSync(join(tmpdir(), "sendoff-fleet-"));
const children = new Set();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

/** @param {string} name */
async function restarted(name) {
  const folder = mkdtempSync(join(scratch, "run-"));
  const [port, ...ports] = await freePorts(1 + NAMES.length);
  const folders = NAMES.map((one) => join(folder, one));
  for (const one of folders) {
    mkdirSync(one);
    release(one);
  }
  /** @param {number} i */
  const start = async (i) => {
    const server = await (name === "sendoff"
      ? serve(folders[i], ports[i])
      : started([SERVER, name, folders[i], String(ports[i])], ports[i]));
    children.add(server.child);
    return server;
  };
  const servers = await Promise.all(NAMES.map((_, i) => start(i)));
  const balancer = new Balancer(folder, port, ports);
  children.add(balancer.process.child);
  const up = async (/** @type {string} */ one) => {
    while (!(await balancer.isUp(one))) await new Promise((next) => setTimeout(next, 50));
  };
  for (const one of NAMES) await up(one);
  const load = new Load(port, SMALL, LARGE, { small: 64, large: 8 });
  let late = 0;
  for (let round = 0; round < rounds; round++) {
    for (const [i, one] of NAMES.entries()) {
      const { child, ended } = servers[i];
      const timer = setTimeout(() => {
        late++;
        child.kill("SIGKILL");
      }, PATIENCE);
      child.kill("SIGTERM");
      await ended;
      clearTimeout(timer);
      servers[i] = await start(i);
      await up(one);
    }
  }
  const { small, large, failed } = await load.stop();
  for (const { child, ended } of [...servers, balancer.process]) {
    child.kill("SIGKILL");
    await ended;
  }
  return {
    name,
    restarts: rounds * NAMES.length,
    small,
    large,
    failed: failed.length,
    late,
    examples: failed.slice(0, 5),
  };
}

const results = [];
for (const name of only) {
  process.stderr.write(`${name}\n`);
  results.push(await restarted(name));
}
console.log(`${haproxy}\n`);
table(
  ["", "restarts", "small files", "downloads", "failed or short", "killed"],
  results.map(({ name, restarts, small, large, failed, late }) => [
    name === "node" ? "node:http's close()" : name,
    ...[restarts, small, large, failed, late],
  ]),
);
for (const { name, examples } of results) for (const words of examples) console.log(`${name}: ${words}`);
if (values.json !== undefined)
  write(values.json, "bench/fleet/run.js", { machine: machine(), haproxy, rounds, results });
process.exit();
