// Whether temporary files can be read from the page cache alone: RWF_NOWAIT is a matter of their file system.

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { host } from "#process";
import { Fault } from "../../assembly/abi.js";

/** Why not; null if they can, or if there are no native calls. */
export const noNowait: string | null = look();

function look(): string | null {
  const { sys, scratch } = host().shared;
  if (sys === null) return null;
  const folder = fs.mkdtempSync(join(tmpdir(), "sendoff-"));
  try {
    const file = join(folder, "file");
    fs.writeFileSync(file, "1");
    const fd = fs.openSync(file, "r");
    const read = sys.read(fd, scratch.address, 0, 1);
    fs.closeSync(fd);
    return read === 1 || read === -Fault.WouldBlock ? null : "the file system of TMPDIR has no RWF_NOWAIT";
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
