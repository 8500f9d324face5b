// Bun.file: a Blob that stands for a file. Only util.inspect() shows which file; if that is not recognised, it is read
// like any other Blob.

import { partOf } from "../../source/kinds.js";
import type { Source } from "../../source/source.js";

// The part of Bun that we use; the project does not depend on its types.
const { Bun } = globalThis as unknown as { Bun: { inspect(value: unknown): string } };

/** FileRef ("/path") or FileRef (fd: 5), with the offset of a slice. Blobs of memory and of S3 look different. */
const REF = /^FileRef \((?:fd: (\d+)|"(.*)")\) \{\n(?: {2}type: "[^"\n]*",?\n)?(?: {2}offset: (\d+),?\n)?\n?\}$/;

/** The source of a `Bun.file`, or of a slice of one: its current file, up to its `size`. */
export function sourceOf(value: unknown): Source | null {
  if (!(value instanceof Blob)) return null;
  const { name, size } = value as Blob & { name?: unknown };
  const [text, fd, path, offset = "0"] = REF.exec(Bun.inspect(value)) ?? [];
  if (text === undefined) return null;
  if (fd !== undefined) return partOf(Number(fd), Number(offset), size);
  // The name may have changed since, or have characters that inspect() escapes.
  return path === name ? partOf(path as string, Number(offset), size) : null;
}
