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
