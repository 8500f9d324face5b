// The entry of the thread that reads from disks: it waits while a FaultPlan holds it.

import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { FaultPlan } from "./fault-plan.js";

const plan = new FaultPlan();
const { readSync } = fs;
fs.readSync = ((...args: Parameters<typeof readSync>) => {
  plan.waitHere();
  return readSync(...args);
}) as typeof readSync;
syncBuiltinESMExports();

await import("../../host/loop/reader.js");
