// A thread of a server on Node.

import { run } from "../../loop/thread.js";
import { openLibc } from "./ffi.js";

run((memory) => {
  const libc = openLibc(memory, process.env);
  if (typeof libc === "string") throw new Error(libc);
  return libc;
});
