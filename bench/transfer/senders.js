// Who competes, and by which command.

import { fileURLToPath } from "node:url";

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const KIB = 1024;

/** The two Nodes, each with the binding that it is measured with. @param {import("./rig.js").TransferRig} rig */
export function nodes(rig) {
  const found = [{ node: rig.node20, label: `Node ${major(process.version)}`, ffi: "koffi" }];
  if (rig.node26 !== null) found.push({ node: rig.node26, label: "Node 26", ffi: "node" });
  return found;
}

const major = (/** @type {string} */ version) => version.slice(1).split(".")[0];

/**
 * @typedef {ReturnType<typeof nodes>[number]} Runtime
 * @param {Runtime} runtime
 * @param {object} options see senders/sendoff.js
 * @param {string} [suffix] of the name
 * @returns {import("./rig.js").Sender}
 */
export function sendoff({ node, label, ffi }, options, suffix = "") {
  return {
    name: `sendoff${suffix}, ${label} ${ffi === "node" ? "node:ffi" : ffi}`,
    argv: [node, "--no-warnings", here("senders/sendoff.js"), JSON.stringify(options)],
    env: { SENDOFF_FFI: ffi },
  };
}

/**
 * @param {Runtime} runtime
 * @param {string} file
 * @param {number} clients
 * @param {number} kib highWaterMark
 * @param {object} [more] options
 * @returns {import("./rig.js").Sender}
 */
export function pipe({ node, label }, file, clients, kib, more = {}) {
  const options = { file, clients, highWaterMark: kib * KIB, ...more };
  return {
    name: `pipe ${kib} KiB, ${label}`,
    argv: [node, here("senders/pipe.js"), JSON.stringify(options)],
  };
}

/** One client only; none where the tool is not at hand. @param {import("./rig.js").TransferRig} rig @param {string} file @returns {import("./rig.js").Sender[]} */
export function others(rig, file) {
  const found = [];
  if (rig.python !== null) {
    for (const method of ["sendfile", "_sendfile_use_send"]) {
      found.push({ name: `CPython ${method}`, argv: ["python3", here("senders/cpython.py"), method, file] });
    }
  }
  const loop = rig.compile("senders/loop.c");
  if (loop !== null) found.push({ name: "C loop", argv: [loop, file] });
  return found;
}
