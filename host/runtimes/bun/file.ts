// Bun.file: a Blob that stands for a file. What it stands for only its inspection tells; what is not
// recognised there is read as any other Blob.

import { partOf } from "../../source/kinds.js";
import type { Source } from "../../source/source.js";

// What is used of Bun; its types are not among those of this project.
const { Bun } = globalThis as unknown as { Bun: { inspect(value: unknown): string } };

/** FileRef ("/path") or FileRef (fd: 5), and of a slice where it begins. Blobs of memory and of S3 read otherwise. */
const REF = /^FileRef \((?:fd: (\d+)|"(.*)")\) \{\n(?: {2}type: "[^"\n]*",?\n)?(?: {2}offset: (\d+),?\n)?\n?\}$/;

/** The source of a `Bun.file`, or of a slice of one: of what it stands for now, as long as its `size` says. */
export function sourceOf(value: unknown): Source | null {
  if (!(value instanceof Blob)) return null;
  const { name, size } = value as Blob & { name?: unknown };
  const [text, fd, path, offset = "0"] = REF.exec(Bun.inspect(value)) ?? [];
  if (text === undefined) return null;
  if (fd !== undefined) return partOf(Number(fd), Number(offset), size);
  // Its name may have been changed since, or have characters that are written in another way here.
  return path === name ? partOf(path as string, Number(offset), size) : null;
}
