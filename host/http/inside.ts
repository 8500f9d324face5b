// Files that are inside a folder by their real path, behind all symbolic links.

import fs from "node:fs";
import type { Shared } from "../shared.js";
import type { sendMethods } from "./send/send.js";
import type { SendStream } from "./send/stream.js";
import { isWithin, realPathOf } from "./within.js";

/** Real paths of files that are nobody's, as those with passwords: they are treated as missing, whatever leads to them. */
const hidden = new Set<string>();

export const hide = (file: string): void => void hidden.add(file);
export const isHidden = (file: string): boolean => hidden.has(file);

/** Whether a real path, if it is known, is in `root` and not hidden. If it is not, resolves the root again: it may be a link that has changed, or gone. */
export function insideOf(root: string): (file: string | null) => boolean {
  let real = "";
  return (file) => {
    if (file === null || hidden.has(file)) return false;
    if (real !== "" && isWithin(real, file)) return true;
    try {
      real = fs.realpathSync.native(root);
    } catch {
      return false;
    }
    return isWithin(real, file);
  };
}

/**
 * `send` for the file that is open, so that its headers are those of the body; with `inside` for those that are. The
 * checked file is the one sent: it stays open in between.
 */
export function sendOpen(
  { files }: Shared,
  inside: ((file: string | null) => boolean) | null,
  { send, from }: ReturnType<typeof sendMethods>,
): SendStream["send"] {
  // A plain open() would block if a FIFO has replaced the file since.
  const flags = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0);
  const open = (path: string, done: (error: NodeJS.ErrnoException | null, fd: number) => void) =>
    fs.open(path, flags, (error, fd) => {
      if (error?.code === "EMFILE" && files.clear()) fs.open(path, flags, done);
      else done(error, fd);
    });
  return function (this: SendStream, path) {
    const known = inside === null ? files.get(path, true) : null;
    if (known !== null) {
      const close = from(this, path, known);
      try {
        return send.call(this, path, known.stat);
      } finally {
        close();
      }
    }
    open(path, (error, fd) => {
      if (error) return this.onStatError(error);
      const kept = files.keep(path, fd, fs.fstatSync(fd));
      const close = from(this, path, kept ?? { fd, release: () => fs.closeSync(fd) });
      const decide = (error: Error | null, allowed: boolean) => {
        try {
          if (error) return this.onStatError(error);
          const stat = fs.fstatSync(fd);
          if (stat.isFile() && allowed) send.call(this, path, stat);
          else this.error(404);
        } finally {
          close(); // HEAD, 304, 404, 412, 416
        }
      };
      if (inside === null) decide(null, true);
      else realPathOf(fd, path, (error, file) => decide(error, error === null && inside(file)));
    });
  };
}
