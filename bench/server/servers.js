// Who takes part, by the name that a row has for it.

import { join } from "node:path";
import { freePort } from "../http/servers/port.js";
import { nodes, onNode, other, tools, version } from "../http/servers.js";
import { HERE } from "../lib/ours.js";

/** @typedef {import("../http/servers.js").Competitor} Competitor */

const [own] = nodes();
const node26 = nodes().find(({ major }) => major === "26");

/** @param {"koffi" | "node"} ffi @returns {Competitor | null} */
function loop26(ffi) {
  if (node26 === undefined) return null;
  const competitor = onNode("loop", { ...node26, ffi });
  return { ...competitor, label: `${competitor.label}, ${ffi === "node" ? "node:ffi" : ffi}` };
}

/** So that garbage does not hide what a connection takes: each collection is one of the whole heap, and they are frequent. */
const COLLECT = ["--gc-global", "--max-semi-space-size=1"];

/** @returns {Competitor} */
function loopIdle() {
  const competitor = onNode("loop-idle", own);
  const [node, ...rest] = competitor.argv;
  return { ...competitor, argv: [node, ...COLLECT, ...rest] };
}

/** The command, without a log. @returns {Competitor} */
function serve() {
  return {
    name: "serve",
    node: own.major,
    label: `sendoff serve -q, Node ${own.major}`,
    argv: [own.binary, join(HERE, "build/cli/sendoff.js"), "serve", "-q"],
    env: { SENDOFF_FFI: own.ffi },
    configure: async (_folder, root) => {
      const port = await freePort();
      return { port, argv: ["--port", `${port}`, root] };
    },
  };
}

const installed = (/** @type {string} */ name) => (tools[name] === null ? null : other(name));

/** null: it is not installed. @type {Record<string, Competitor | null>} */
export const competitors = {
  loop: onNode("loop", own),
  "loop-idle": loopIdle(),
  "sendoff serve": serve(),
  "Node 26, koffi": loop26("koffi"),
  "Node 26, node:ffi": loop26("node"),
  respond: onNode("respond", own),
  serveStatic: onNode("serveStatic", own),
  nginx: installed("nginx"),
  lighttpd: installed("lighttpd"),
  bare: installed("bare"),
};

/** The versions of all that take part. */
export function versions() {
  const others = ["nginx", "lighttpd", "bare"].map((name) => [name, tools[name]?.version ?? null]);
  return {
    ...Object.fromEntries(others),
    "Node 26": node26 === undefined ? null : (version([node26.binary])?.version ?? null),
  };
}
