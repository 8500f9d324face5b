// sendfile(socket, path), by the package's entry point; or, for what the entry point has no option for,
// by a host of our own over the same parts.
//
//   sendoff.js '{"file":PATH,"clients":N,"mode":MODE,"ways":BOOL,"probe":BOOL,"core":PATH,"queueing":BOOL,"checkout":PATH}'
//
// ways: also say how the bytes went, which costs an onProgress per step.
// probe: false for a kernel without RWF_NOWAIT. core: another core.wasm. checkout: whose sendoff. Default: this one's.

import { readFileSync } from "node:fs";
import { Fault } from "../../../build/assembly/abi.js";
import { createHost } from "../../../build/host/index.js";
import { linux } from "../../../build/host/libc/linux.js";
import { openLibc } from "../../../build/host/runtimes/node/ffi.js";
import { entry } from "../../lib/ours.js";
import { serve } from "./serve.js";

const { file, clients, mode, ways, probe, core, queueing, checkout } = JSON.parse(process.argv[2]);
const { sendfile, capabilities } =
  probe === false || core !== undefined ? own() : await import(entry("sendoff", checkout));
const { native, reason } = capabilities(); // loads koffi before the clock starts
if (!native && mode !== "copy") throw new Error(`not native: ${reason}`);

const went = { native: 0, doorbell: 0, cold: 0, copied: 0 };

serve(
  clients,
  async (socket) => {
    /** @type {import("../../../build/host/transfer/options.js").Progress | undefined} */
    let last;
    const onProgress = (/** @type {import("../../../build/host/transfer/options.js").Progress} */ progress) => {
      last = progress;
    };
    await sendfile(socket, file, { mode, onProgress: ways ? onProgress : undefined });
    socket.end();
    for (const way of /** @type {(keyof typeof went)[]} */ (Object.keys(went))) went[way] += last?.[way] ?? 0;
  },
  () => (ways ? { ways: went } : {}),
  queueing,
);

function own() {
  return createHost(readFileSync(core ?? new URL("../../../build/core.wasm", import.meta.url)), {
    libc: () => "",
    now: () => performance.now(),
    defer: (next) => setImmediate(next),
    open: (memory, frame) => {
      const libc = openLibc(memory, process.env);
      if (typeof libc === "string") return libc;
      const sys = linux(libc, memory, frame);
      if (probe === false) sys.read = () => -Fault.Missing;
      return sys;
    },
    auto: "auto",
  });
}
