// A folder and all that is below it, as a tar archive: what there is and how long it is, before the first byte is sent.

import type { Stats } from "node:fs";
import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { MemberSource } from "../../host/http/member.js";
import type { Piece, Pieces } from "../../host/http/pieces.js";
import { BytesSource } from "../../host/source/memory.js";
import { type Place, read, TooMany } from "./catalog.js";
import { due, turn } from "./pace.js";
import { BOUNDS, END, padding, tarHeader } from "./tar.js";

/** Bytes of headers that may come before a file; more are sent by themselves. */
const HEADERS = 64 << 10;

interface Member {
  readonly name: string;
  readonly above: Member | null;
  /** The real path, if that is not its name in the folder above. */
  readonly real: string | null;
  readonly stat: Pick<Stats, "dev" | "ino" | "size" | "mtimeMs" | "mode">;
  readonly folder: boolean;
}

export interface Archive {
  readonly root: string;
  readonly members: readonly Member[];
  /** Bytes of the whole. */
  readonly length: number;
}

/** More than may be sent as one archive. */
export class TooLarge extends Error {
  readonly statusCode = 413;

  constructor({ members, depth }: typeof BOUNDS) {
    super(`An archive has at most ${members} files and folders, ${depth} deep`);
  }
}

/**
 * Looks at all that is below a folder, which is called `name` in the archive: what a listing would show, links as the files and
 * folders that they lead to.
 *
 * @throws TooLarge; the reason of `signal`, if that aborts.
 */
export async function survey(place: Place, name: string, signal: AbortSignal, bounds = BOUNDS): Promise<Archive> {
  const { root, files } = place;
  const members: Member[] = [];
  const visit = async (folder: string, self: Member, within: readonly string[]): Promise<void> => {
    if (within.length > bounds.depth) throw new TooLarge(bounds);
    const left = bounds.members - members.length;
    const catalog = await read({ ...place, folder }, signal, left).catch((error: NodeJS.ErrnoException) => {
      if (error instanceof TooMany) throw new TooLarge(bounds);
      if (signal.aborted || self.above === null) throw error;
      return null; // it has gone, or may not be read
    });
    if (catalog === null) return;
    for await (const { name, path, stat } of catalog.all(signal)) {
      if (due()) await turn(signal);
      const real = path === join(folder, name) ? null : path;
      const member = { name, above: self, real, stat: seen(stat), folder: stat.isDirectory() };
      // A link to a folder that it is in would have no end.
      if (member.folder && within.includes(path)) continue;
      if (!member.folder && !(await isReadable(path, stat))) continue;
      if (members.push(member) > bounds.members) throw new TooLarge(bounds);
      if (member.folder) await visit(path, member, [...within, path]);
    }
  };
  const stat = await files.lstat(place.folder);
  const top = { name, above: null, real: place.folder, stat: seen(stat), folder: true };
  members.push(top);
  await visit(place.folder, top, [place.folder]);

  let length = END.length;
  for (const member of members) {
    if (due()) await turn(signal);
    length += headerOf(member).length + bytesOf(member) + padding(bytesOf(member)).length;
  }
  return { root, members, length };
}

const seen = ({ dev, ino, size, mtimeMs, mode }: Stats) => ({ dev, ino, size, mtimeMs, mode });

const bytesOf = ({ folder, stat }: Member) => (folder ? 0 : stat.size);

/** One that may not be read would end the archive in its middle. */
async function isReadable(path: string, { mode }: Stats): Promise<boolean> {
  if ((mode & constants.S_IROTH) !== 0 || process.getuid?.() === 0) return true;
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}

function headerOf(member: Member): string {
  const { folder, stat } = member;
  const path = names(member).join("/");
  const executable = (stat.mode & constants.S_IXUSR) !== 0;
  return tarHeader({ path, folder, executable, size: bytesOf(member), modified: stat.mtimeMs });
}

function names(member: Member): string[] {
  const all: string[] = [];
  for (let one: Member | null = member; one !== null; one = one.above) all.unshift(one.name);
  return all;
}

function pathOf({ name, above, real }: Member): string {
  return real ?? join(pathOf(above as Member), name);
}

/** The body of a response. */
export function piecesOf({ root, members, length }: Archive): Pieces {
  const rest = pieces(root, members);
  return { length, first: rest.next().value as Piece, rest };
}

function* pieces(root: string, members: readonly Member[]): Generator<Piece, void> {
  let texts = "";
  for (const member of members) {
    texts += headerOf(member);
    const count = bytesOf(member);
    if (count > 0) {
      const source = new MemberSource(root, pathOf(member), member.stat);
      yield { header: texts, source, offset: 0, count };
      texts = padding(count);
    } else if (texts.length > HEADERS) {
      yield piece(texts);
      texts = "";
    }
  }
  yield piece(texts + END);
}

function piece(text: string): Piece {
  const bytes = Buffer.from(text, "latin1");
  return { header: "", source: new BytesSource(bytes), offset: 0, count: bytes.length };
}
