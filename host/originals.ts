// Globals and methods as they were when this was loaded. Tests put clocks and file systems of their own in their
// place, which may stand still, or fail: what is done behind a program's back must not be seen by them.

import fs from "node:fs";

export const { setImmediate } = globalThis;

export const { closeSync, fstatSync, statfs } = fs;
