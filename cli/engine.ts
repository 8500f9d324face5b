// The first import of the command: if Node is too old it says so in one line, and ends.

import { checkEngine } from "../host/runtimes/node/engine.js";
import { say } from "../host/say.js";

try {
  checkEngine();
} catch (error) {
  say((error as Error).message);
  process.exit(1);
}
