// The entry of the thread that reads from disks: it waits while a FaultPlan holds it.

import type { Memory } from "../../host/core.js";
import type { Libc } from "../../host/libc/libc.js";
import { run } from "../../host/loop/thread.js";
import { openLibc } from "../../host/runtimes/node/ffi.js";
import { FaultPlan } from "./fault-plan.js";

const plan = new FaultPlan();

run((memory: Memory) => {
  const libc = openLibc(memory, process.env) as Required<Libc>;
  return {
    ...libc,
    pread(...args) {
      plan.waitHere();
      return libc.pread(...args);
    },
  };
});
