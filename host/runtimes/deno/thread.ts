// A thread of a server on Deno.

import { run } from "../../loop/thread.js";
import { openDeno } from "./ffi.js";
import { isLimited } from "./limited.js";

run(openDeno, isLimited);
