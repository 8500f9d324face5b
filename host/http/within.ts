// The real path of a file, behind all symbolic links, and whether it is inside a folder.

import fs from "node:fs";
import path from "node:path";

/** Whether `file` is `root` or below it. Both are real paths: absolute, without a symbolic link. */
export function isWithin(root: string, file: string): boolean {
  const way = path.relative(root, file);
  return way !== ".." && !way.startsWith(`..${path.sep}`) && !path.isAbsolute(way);
}

/** The real path of a file that was opened by `name`. */
export function realPathOf(
  fd: number,
  name: string,
  done: (error: NodeJS.ErrnoException | null, real: string) => void,
): void {
  const known = realPathNow(fd);
  if (known !== null) return done(null, known);
  fs.realpath.native(name, (error, real) => {
    if (error) return done(error, "");
    fs.lstat(real, (error, there) => {
      if (error) return done(error, "");
      const { dev, ino } = fs.fstatSync(fd);
      if (there.dev === dev && there.ino === ino) return done(null, real);
      done(Object.assign(new Error("another file has taken its name"), { code: "ENOENT" }), "");
    });
  });
}

/** The path of the fd itself, however its name changes meanwhile: procfs answers from memory. Null if there is none. */
export function realPathNow(fd: number): string | null {
  if (process.platform !== "linux") return null;
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return null; // no /proc here
  }
}
