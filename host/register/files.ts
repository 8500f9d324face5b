// Folders in front of servers, as SENDOFF_FILES says: an import with one effect. See front.ts.

import { host } from "#process";
import { say } from "../say.js";
import { frontAll } from "./front.js";
import { mountsOf, portsOf, textOf } from "./mounts.js";

const mounts = mountsOf(process.env.SENDOFF_FILES);
const ports = portsOf(process.env.SENDOFF_FILES_PORT);
if (mounts.length > 0) {
  process.env.SENDOFF_FILES = textOf(mounts); // for threads and children with another working directory
  frontAll(host().shared, mounts, ports, (what) => {
    if (process.env.SENDOFF_DEBUG === "1") say(`sendoff: ${what}`);
  });
}
