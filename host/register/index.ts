// node --import sendoff/register server.js: an import with one effect. See host/register/install.ts.
// Servers built on `send` bypass the pipe.

import { host } from "#process";
import { accelerate } from "../http/send/send.js";
import { say } from "../say.js";
import { install } from "./install.js";
import { copies } from "./require-hook.js";

const { shared } = host();
if (shared.auto !== "copy") {
  const debug = process.env.SENDOFF_DEBUG === "1";
  const seen = new Set<string>();
  install(shared, (reason) => {
    if (!debug || seen.has(reason)) return;
    seen.add(reason);
    say(`sendoff: a pipe was left alone: ${reason}`);
  });
  copies((send) => {
    try {
      accelerate(shared, send);
    } catch {} // another package of that name
  });
}
