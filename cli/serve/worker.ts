// One of the workers of `sendoff serve --workers`: a server in a process of node:cluster. It ends with its primary.

import { say } from "../../host/say.js";
import { explain } from "../explain.js";
import { open, type Settings } from "./server.js";

process.once("message", async (settings: Settings) => {
  try {
    await open(settings);
  } catch (error) {
    say(`sendoff: ${explain(error)}`);
    process.exit(1);
  }
});
// Messages sent before the listener is added are lost.
process.send?.("ready");
