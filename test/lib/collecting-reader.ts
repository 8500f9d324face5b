// The entry of the thread that reads from disks: all that nobody holds is collected before each read, which fails if that
// was what it reads to.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Memory } from "../../host/core.js";
import type { Libc } from "../../host/libc/libc.js";
import { run } from "../../host/loop/thread.js";
import { openLibc } from "../../host/runtimes/node/ffi.js";

setFlagsFromString("--expose-gc");
const gc: () => void = runInNewContext("gc");

run((memory: Memory) => {
  const libc = openLibc(memory, process.env) as Required<Libc>;
  const held = new WeakRef(memory);
  return {
    ...libc,
    pread(...args) {
      gc();
      return held.deref() === undefined ? -1 : libc.pread(...args);
    },
  };
});
