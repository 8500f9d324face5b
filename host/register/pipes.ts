// Pipes of files, by the kernel: an import with one effect. See install.ts. Servers built on `send` bypass the pipe.

import { host } from "#process";
import { accelerate } from "../http/send/send.js";
import { say } from "../say.js";
import { abandonedOf, destroyAbandoned } from "./abandoned.js";
import { install } from "./install.js";
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
if (shared.auto === "copy") {
  if (debug) say(`sendoff: nothing goes by the kernel: ${shared.reason}`);
} else {
  const seen = new Set<string>();
  const tell = (what: string) => {
    if (!debug || seen.has(what)) return;
    seen.add(what);
    say(`sendoff: ${what}`);
  };
  const leaves = (what: string) => (reason: string | null) =>
    tell(reason === null ? `${what} goes by the kernel` : `${what} was left alone: ${reason}`);
  install(shared, leaves("a pipe"));
  installToWeb(shared, leaves("a web stream"));
  copies((send) => {
    try {
      accelerate(shared, send);
      if (shared.sys !== null) tell("files of the package send go by the kernel");
    } catch {} // another package of that name
  });
}
