// Headers of a tar archive: ustar (POSIX.1-1988), with a pax record (POSIX.1-2001) before a name or a size that has no room in it.

/** What a header tells. The owner is nobody's business. */
export interface TarEntry {
  /** With slashes, in Unicode; of a folder without the last slash. */
  readonly path: string;
  readonly folder: boolean;
  readonly executable: boolean;
  /** Bytes; 0 of a folder. */
  readonly size: number;
  /** Milliseconds. */
  readonly modified: number;
}

/** The most files and folders of an archive, and the deepest folder: more is refused. */
export const BOUNDS = { members: 100_000, depth: 100 };

const BLOCK = 512;
/** The longest name, in bytes. */
const NAME = 100;
/** The largest size, in eleven octal digits. */
const LARGEST = 0o77777777777;
/** Of the file, by POSIX. */
const FILE = "0";
const FOLDER = "5";
const PAX = "x";

/** What ends an archive: two blocks of zeros. */
export const END = "\0".repeat(2 * BLOCK);

/** Zeros after a file of this size, up to the end of its block. */
export function padding(size: number): string {
  return "\0".repeat((BLOCK - (size % BLOCK)) % BLOCK);
}

/** The blocks before an entry's bytes, in latin1. */
export function tarHeader({ path, folder, executable, size, modified }: TarEntry): string {
  const name = folder ? `${path}/` : path;
  const records: string[] = [];
  if (Buffer.byteLength(name) > NAME || /[^\x20-\x7e]/.test(name)) records.push(record("path", name));
  if (size > LARGEST) records.push(record("size", String(size)));
  const seconds = Math.max(0, Math.min(LARGEST, Math.floor(modified / 1000)));
  const mode = folder || executable ? 0o755 : 0o644;
  const own = block(name, folder ? FOLDER : FILE, mode, Math.min(size, LARGEST), seconds);
  if (records.length === 0) return own;
  const text = Buffer.from(records.join("")).toString("latin1");
  return block("PaxHeader", PAX, 0o644, text.length, seconds) + text + padding(text.length) + own;
}

/** `length key=value`: the length counts its own digits. */
function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + String(bytes).length;
  length = bytes + String(length).length;
  return `${length}${rest}`;
}

function block(name: string, type: string, mode: number, size: number, seconds: number): string {
  const bytes = Buffer.alloc(BLOCK);
  const put = (at: number, text: string) => bytes.write(text, at, "latin1");
  const octal = (at: number, digits: number, value: number) => put(at, value.toString(8).padStart(digits, "0"));
  bytes.write(name, 0, NAME);
  octal(100, 7, mode);
  octal(108, 7, 0); // the user's id
  octal(116, 7, 0); // the group's
  octal(124, 11, size);
  octal(136, 11, seconds);
  put(148, " ".repeat(8)); // the sum, for the sum itself
  put(156, type);
  put(257, "ustar\x0000");
  octal(329, 7, 0); // devices, which there are none of
  octal(337, 7, 0);
  const sum = bytes.reduce((sum, byte) => sum + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return bytes.toString("latin1");
}
