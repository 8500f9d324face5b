// What the caches of files have in common: whether a file is the one that it was, and who has to go. Each of those that
// are kept is marked as used whenever it is asked for.

/** A file as stat(2) has it: another one at the same path, or another content, differs in one of these. */
export interface Identity {
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

export function isSame(was: Identity, now: Identity | undefined): boolean {
  return (
    now?.ino === was.ino &&
    now.dev === was.dev &&
    now.size === was.size &&
    now.mtimeMs === was.mtimeMs &&
    now.ctimeMs === was.ctimeMs
  );
}

/**
 * The same of one that a runtime has told of: Deno has the time of the last change of a file's content in whole ms, and that
 * of any change in whole seconds.
 */
export function isAlike(told: Identity, now: Identity): boolean {
  return (
    now.ino === told.ino &&
    now.dev === told.dev &&
    now.size === told.size &&
    Math.floor(now.mtimeMs) === Math.floor(told.mtimeMs) &&
    Math.floor(now.ctimeMs / 1000) === Math.floor(told.ctimeMs / 1000)
  );
}

/** The coarsest times of a file system in use: FAT's, in ms. */
const COARSEST = 2000;

/** Whether a change from now on would give another time than this one, in ms since 1970. */
export function isSettled(time: number, now = Date.now()): boolean {
  return now - time > COARSEST;
}

/** The last change of a file: of its content, or of anything else about it. */
export const changedAt = ({ mtimeMs, ctimeMs }: Pick<Identity, "mtimeMs" | "ctimeMs">): number =>
  Math.max(mtimeMs, ctimeMs);

interface Used {
  used: boolean;
}

/** Of those that nobody uses now: the first that was not used since the last sweep, else the first. Null if there is none. */
export function idleOf<T extends Used>(all: Iterable<T>, isIdle: (one: T) => boolean): T | null {
  let idle: T | null = null;
  for (const one of all) {
    if (!isIdle(one)) continue;
    idle ??= one;
    if (!one.used) return one;
  }
  return idle;
}

/** Takes one out, as a clock's hand: those that were used since it last came by get another round. */
export function forget<T extends Used>(all: Map<string, T>): T | undefined {
  for (const [key, one] of all) {
    all.delete(key);
    if (!one.used) return one;
    one.used = false;
    all.set(key, one); // behind the others
  }
}
