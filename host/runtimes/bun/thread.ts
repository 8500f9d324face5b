// A thread of a server on Bun.

import { run } from "../../loop/thread.js";
import { openBunFFI } from "./ffi.js";

run(openBunFFI);
