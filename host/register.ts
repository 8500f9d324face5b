// node --import sendoff/register server.js: an import with one effect. See host/pipe.ts.

import { host } from "#process";
import { install } from "./pipe.js";

const { shared } = host();
if (shared.auto !== "copy") {
  const debug = process.env.SENDOFF_DEBUG === "1";
  const seen = new Set<string>();
  install(shared, (reason) => {
    if (!debug || seen.has(reason)) return;
    seen.add(reason);
    process.stderr.write(`sendoff: a pipe was left alone: ${reason}\n`);
  });
}
