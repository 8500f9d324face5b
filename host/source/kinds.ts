// Chooses the source for a file by its kind.

import type { FileHandle } from "node:fs/promises";
import { isArrayBuffer } from "node:util/types";
import { argumentError } from "../errors.js";
import { bytesOf, describe } from "../validate.js";
import { HandleSource, NumberSource, PathSource } from "./fd.js";
import type { Files } from "./files.js";
import { BlobSource, BytesSource, IterableSource } from "./memory.js";
import type { File, Source } from "./source.js";

/** Checks the type and makes the source; opens nothing. A path may be among the open `files`. */
export function sourceOf(file: File, files?: Files): Source {
  if (typeof file === "string" || file instanceof URL)
    return new PathSource(file, files === undefined ? {} : { files });
  if (typeof file === "number") return new NumberSource(file);
  if (typeof file === "object" && file !== null) {
    if (isFileHandle(file)) return new HandleSource(file);
    if (file instanceof Blob) return new BlobSource(file);
    if (ArrayBuffer.isView(file) || isArrayBuffer(file)) return new BytesSource(bytesOf("file", file));
    if (Symbol.asyncIterator in file) return new IterableSource(file as AsyncIterable<Uint8Array>);
  }
  const wanted = "a path, file URL, FileHandle, file descriptor, Blob, bytes or a readable stream";
  throw argumentError(TypeError, `file must be ${wanted} (got ${describe(file)})`);
}

/** A part of a file, by path or fd: at most `most` bytes from `start` on. */
export function partOf(file: string | number, start: number, most: number): Source {
  return typeof file === "string" ? new PathSource(file, { start, most }) : new NumberSource(file, start, most);
}

/** Node does not export FileHandle's class, so it is recognised by its members. */
function isFileHandle(file: object): file is FileHandle {
  const { fd, read, stat } = file as Partial<FileHandle>;
  return typeof fd === "number" && typeof read === "function" && typeof stat === "function";
}
