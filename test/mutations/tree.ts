// A copy of the project in which a mistake is made, and taken back. It lies in build/, so that packages are found from
// there; `sendoff` itself is the copy.

import fs from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
export const WORK = join(ROOT, "build/mutations");

const ONLY_LINKED = [".git", "package.json", "test", "build"];

function within(folder: string, without: readonly string[]): string[] {
  return fs.readdirSync(join(ROOT, folder)).flatMap((name) => (without.includes(name) ? [] : join(folder, name)));
}

export class Tree {
  readonly root: string;
  readonly #owned = new Set<string>();

  constructor(name: string) {
    this.root = join(WORK, name);
    for (const folder of ["test", "build"]) fs.mkdirSync(join(this.root, folder), { recursive: true });
    // What imports `sendoff` has to be a copy: a link is followed, and the package around the original is found.
    for (const part of ["package.json", "test/fixtures", ...within("build", [basename(WORK)])]) this.#copy(part);
    for (const part of [...within("", ONLY_LINKED), ...within("test", ["fixtures"])]) this.#link(part);
  }

  #copy(part: string): void {
    fs.cpSync(join(ROOT, part), join(this.root, part), { recursive: true });
  }

  #link(part: string): void {
    fs.symlinkSync(join(ROOT, part), join(this.root, part));
  }

  /** In place of a link to the original: a file or folder of its own. */
  own(part: string): void {
    this.#owned.add(part);
    fs.rmSync(join(this.root, part));
    this.#copy(part);
  }

  read(file: string): string {
    return fs.readFileSync(join(this.root, file), "utf8");
  }

  write(file: string, text: string): void {
    const path = join(this.root, file);
    fs.mkdirSync(join(path, ".."), { recursive: true });
    fs.writeFileSync(path, text);
  }

  /** What was compiled is as it was, and what it owns are links again. */
  restore(compiled: readonly string[]): void {
    for (const file of compiled) this.#copy(file);
    for (const part of this.#owned) {
      fs.rmSync(join(this.root, part), { recursive: true });
      this.#link(part);
    }
    this.#owned.clear();
  }
}
