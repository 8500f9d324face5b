// node --import sendoff/register server.js: an import with one effect. See host/register/install.ts, and front.ts.
// Servers built on `send` bypass the pipe.

import { host } from "#process";
import { accelerate } from "../http/send/send.js";
import { say } from "../say.js";
import { abandonedOf, destroyAbandoned } from "./abandoned.js";
import { frontAll } from "./front.js";
import { install } from "./install.js";
import { mountsOf, portsOf, textOf } from "./mounts.js";
import { copies } from "./require-hook.js";
import { installToWeb } from "./to-web.js";

const { shared } = host();
const debug = process.env.SENDOFF_DEBUG === "1";
if (abandonedOf(process.env.SENDOFF_ABANDONED)) {
  let next = 1; // 1, 10, 100, …
  destroyAbandoned((count) => {
    if (!debug || count < next) return;
    next *= 10;
    say(`sendoff: streams destroyed because their destination had closed: ${count}`);
  });
}
if (shared.auto !== "copy") {
  const seen = new Set<string>();
  const leaves = (what: string) => (reason: string) => {
    const line = `sendoff: ${what} was left alone: ${reason}`;
    if (!debug || seen.has(line)) return;
    seen.add(line);
    say(line);
  };
  install(shared, leaves("a pipe"));
  installToWeb(shared, leaves("a web stream"));
  copies((send) => {
    try {
      accelerate(shared, send);
    } catch {} // another package of that name
  });
}
const mounts = mountsOf(process.env.SENDOFF_FILES);
const ports = portsOf(process.env.SENDOFF_FILES_PORT);
if (mounts.length > 0) {
  process.env.SENDOFF_FILES = textOf(mounts); // for threads and children with another working directory
  frontAll(shared, mounts, ports, (what) => {
    if (debug) say(`sendoff: ${what}`);
  });
}
