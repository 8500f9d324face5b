// The file to send if none was named: pseudo-random bytes, in an unlinked file.

import { createCipheriv, randomBytes } from "node:crypto";
import { closeSync, createWriteStream, openSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const BLOCK = 1 << 20;

/** Makes a file of `bytes` bytes in the temp folder; returns its fd, to be closed by the caller. */
export async function sample(bytes: number): Promise<number> {
  const path = join(tmpdir(), `sendoff-${randomBytes(8).toString("hex")}`);
  const fd = openSync(path, "wx+", 0o600);
  // Unlinked at once, so that nothing is left behind, even by SIGKILL.
  unlinkSync(path);
  try {
    await pipeline(Readable.from(noise(bytes)), createWriteStream("", { fd, autoClose: false }));
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The keystream of a cipher under a random key: the quickest random bytes there are. */
function* noise(bytes: number): Generator<Buffer> {
  const cipher = createCipheriv("aes-128-ctr", randomBytes(16), randomBytes(16));
  const zeros = Buffer.alloc(BLOCK);
  for (let left = bytes; left > 0; left -= BLOCK) yield cipher.update(zeros.subarray(0, Math.min(left, BLOCK)));
}
