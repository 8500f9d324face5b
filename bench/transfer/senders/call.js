// What a native call costs on each floor of the house: the binding, the import, a whole transfer through
// the core. The same calls as call.c. Nanoseconds, the median of BATCHES.
//
//   call.js FILE

import { openSync, readFileSync } from "node:fs";
import { Action, Flag } from "../../../build/assembly/abi.js";
import { boot } from "../../../build/host/core.js";
import { linux } from "../../../build/host/libc/linux.js";
import { openLibc } from "../../../build/host/runtimes/node/ffi.js";
import { median } from "../../lib/numbers.js";

const BATCHES = 21;
const CALLS = 10_000;

/** @type {import("../../../build/host/libc/syscalls.js").Syscalls} */
let sys;
const core = boot(readFileSync(new URL("../../../build/core.wasm", import.meta.url)), {
  sendfile: (out, file, offset, count) => sys.sendfile(out, file, offset, count),
  read: (file, ptr, offset, count) => sys.read(file, ptr, offset, count),
  send: (out, ptr, count, more) => sys.send(out, ptr, count, more),
});
const libc = openLibc(core.memory, process.env);
if (typeof libc === "string") throw new Error(libc);
sys = linux(libc, core.memory, core.frame());

const out = openSync("/dev/null", "w");
const file = openSync(process.argv[2], "r");
const frame = core.frame();
const offset = new DataView(core.memory.buffer);

/** @param {number} i @param {number} tail @param {number} flags @param {number} action */
function transfer(i, tail, flags, action) {
  const handle = core.transfer_open(0);
  core.transfer_extent(handle, 0, i & 4095, 1, tail, flags);
  const answer = core.transfer_run(handle, out, file, 0);
  core.transfer_close(handle);
  if (answer !== action) throw new Error(`action ${answer}`);
}

/** @type {Record<string, (i: number) => void>} */
const floors = {
  libc: (i) => {
    offset.setUint32(frame, i & 4095, true);
    offset.setUint32(frame + 4, 0, true);
    if (libc.sendfile(out, file, frame, 1) !== 1) throw new Error(`errno ${libc.errno()}`);
  },
  import: (i) => {
    if (sys.sendfile(out, file, i & 4095, 1) !== 1) throw new Error(`errno ${sys.errno}`);
  },
  core: (i) => transfer(i, 0, Flag.Native, Action.Done),
  // A trailer, so that the core does not take the byte for a small file; it ends where that is copied.
  probed: (i) => transfer(i, 1, Flag.Native | Flag.Probe, Action.Copy),
};

/** @type {Record<string, number>} */
const result = {};
for (const [name, floor] of Object.entries(floors)) {
  const took = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    const start = performance.now();
    for (let i = 0; i < CALLS; i++) floor(i);
    took.push(((performance.now() - start) * 1e6) / CALLS);
  }
  result[name] = median(took);
}
console.log(JSON.stringify(result));
