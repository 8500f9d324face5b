// Notes how `send` finds the file of a target, for those who ask for it next.

import path from "node:path";
import type { Found } from "./representations.js";
import type { SendStream } from "./send/stream.js";

const NOTE = Symbol("sendoff.note");

/** Of one request. */
interface Note {
  readonly learn: (found: Found) => void;
  /** The names that `send` tries, in its order. */
  candidates: readonly string[];
  /** The file it has found. */
  name: string;
  /** Compressed siblings that are missing, and the coding of the one that is not. */
  readonly missing: string[];
  coding: string | null;
}

type Noted = SendStream & { [NOTE]?: Note };

/** Has `learn` told what this stream finds. */
export function note(stream: SendStream, learn: (found: Found) => void): void {
  (stream as Noted)[NOTE] = { learn, candidates: [], name: "", missing: [], coding: null };
}

/** `sendFile`: one name, and others with an extension. */
export function notingFile(sendFile: SendStream["sendFile"]): SendStream["sendFile"] {
  return function (this: Noted, file) {
    const known = this[NOTE];
    // As `send`: only a name without an extension is tried with others.
    const extensions = path.extname(file) === "" && !file.endsWith(path.sep) ? this._extensions : [];
    if (known !== undefined) known.candidates = [file, ...extensions.map((extension) => `${file}.${extension}`)];
    sendFile.call(this, file);
  };
}

/** `sendIndex`: the names of an index in a folder. */
export function notingIndex(sendIndex: SendStream["sendIndex"]): SendStream["sendIndex"] {
  return function (this: Noted, folder) {
    const known = this[NOTE];
    if (known !== undefined) known.candidates = this._index.map((name) => path.join(folder, name));
    sendIndex.call(this, folder);
  };
}

/** `send`, with the file that was found. */
export function notingFound(send: SendStream["send"]): SendStream["send"] {
  return function (this: Noted, file, stat) {
    const known = this[NOTE];
    if (known !== undefined) known.name = file;
    send.call(this, file, stat);
  };
}

/** A sibling that was looked for: `coding` if it is there. */
export function noteSibling(stream: SendStream, sibling: string, coding: string | null): void {
  const known = (stream as Noted)[NOTE];
  if (known === undefined) return;
  known.coding = coding;
  if (coding === null) known.missing.push(sibling);
}

/** `send`, with the file that is sent: the one that was found, or its sibling. */
export function notingSent(send: SendStream["send"]): SendStream["send"] {
  return function (this: Noted, file, stat) {
    const known = this[NOTE];
    if (known !== undefined) {
      const { candidates, name, missing, coding } = known;
      const tried = candidates.indexOf(name);
      if (tried >= 0) known.learn({ path: file, name, coding, absent: [...candidates.slice(0, tried), ...missing] });
    }
    send.call(this, file, stat);
  };
}

/** `onStatError`: nothing has any of the names. */
export function notingNone(onStatError: SendStream["onStatError"]): SendStream["onStatError"] {
  return function (this: Noted, error) {
    const known = this[NOTE];
    const { code } = error as NodeJS.ErrnoException;
    if (known !== undefined && known.candidates.length > 0 && known.name === "" && code === "ENOENT") {
      known.learn({ path: null, name: "", coding: null, absent: known.candidates });
    }
    onStatError.call(this, error);
  };
}
