// Who takes part, by the name that a row has for it.

import { nginx } from "../http/servers/nginx.js";
import { nodes, onNode, other, tools, version } from "../http/servers.js";
import { npmVersions, ofNpm, serve, serveLogged, serveOn } from "./commands.js";

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

/** @param {string} name @param {string} label @returns {Competitor} */
const labelled = (name, label) => ({ ...onNode(name, own), label });

const installed = (/** @type {string} */ name) => (tools[name] === null ? null : other(name));

/** @param {string} what @param {Parameters<typeof nginx>[2]} options @returns {Competitor | null} */
function nginxWith(what, options) {
  const competitor = installed("nginx");
  return competitor && { ...competitor, label: what, configure: (folder, root) => nginx(folder, root, options) };
}

/** Made by --before. */
export const BEFORE = "sendoff serve, before";
/** @param {string} checkout */
export const serveBefore = (checkout) => serve(own, checkout);

/** null: it is not installed. @type {Record<string, Competitor | null>} */
export const competitors = {
  loop: onNode("loop", own),
  "loop-idle": loopIdle(),
  "sendoff serve": serve(own),
  "sendoff serve, Bun": serveOn("bun"),
  "sendoff serve, Deno": serveOn("deno"),
  "sendoff serve, log": serveLogged(own),
  [BEFORE]: null,
  "Node 26, koffi": loop26("koffi"),
  "Node 26, node:ffi": loop26("node"),
  app: labelled("app", "Express alone"),
  "app, files in front": labelled("app, files in front", "createFileServer before Express"),
  respond: onNode("respond", own),
  serveStatic: onNode("serveStatic", own),
  nginx: installed("nginx"),
  // A write(2) for each line: what `access_log FILE;` is.
  "nginx, log": nginxWith("nginx", { log: "combined" }),
  "nginx, buffered log": nginxWith("nginx, buffer=64k flush=1s", { log: "combined buffer=64k flush=1s" }),
  "nginx, threads": nginxWith("nginx, aio threads", { threads: true }),
  "nginx, idle": nginxWith("nginx", { connections: 12_000 }),
  lighttpd: installed("lighttpd"),
  h2o: installed("h2o"),
  caddy: installed("caddy"),
  bare: installed("bare"),
  bun: installed("bun"),
  deno: installed("deno"),
  "sirv-cli": ofNpm("sirv-cli", own),
  serve: ofNpm("serve", own),
  "http-server": ofNpm("http-server", own),
};

/** The versions of all that take part. */
export function versions() {
  const others = ["nginx", "lighttpd", "h2o", "caddy", "bare", "bun", "deno"];
  return {
    ...Object.fromEntries(others.map((name) => [name, tools[name]?.version ?? null])),
    ...npmVersions(),
    "Node 26": node26 === undefined ? null : (version([node26.binary])?.version ?? null),
  };
}
