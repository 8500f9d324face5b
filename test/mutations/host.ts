// Mistakes in host/ and cli/: the rows of the tables. The file that has the text is compiled with the other one in its
// place, in a copy of the project; then the test that has noticed it before is run there, or else the file of the row.

import fs from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { run } from "./program.js";
import type { Mutant } from "./run.js";
import { TABLE } from "./table.js";
import { ROOT, type Tree } from "./tree.js";
import { type Noticed, notice } from "./watch.js";

/** What tsc may take for one file, in ms. */
const COMPILER_MS = 120_000;

export function hostMutants(): Mutant[] {
  return Object.entries(TABLE).flatMap(([test, mutations]) =>
    Object.entries(mutations).map(([name, [find, replace]]) => ({
      name,
      test,
      caught: (tree, before, search) => caught(tree, before, search ? tests(test) : [test], find, replace),
    })),
  );
}

/** The one file that has the text, once: wherever it was moved to. */
function fileWith(find: string): string {
  const found = ["host", "cli"].flatMap((folder) => {
    const names = fs.readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
    const files = names.filter((name) => name.endsWith(".ts")).map((name) => join(folder, name));
    return files.flatMap((file) => Array(fs.readFileSync(join(ROOT, file), "utf8").split(find).length - 1).fill(file));
  });
  if (found.length !== 1) throw new Error(`what it changes is there ${found.length} times, and not once`);
  return found[0];
}

async function compile(tree: Tree, file: string, text: string): Promise<void> {
  const unchecked = { declaration: false, noCheck: true, noResolve: true, types: [], lib: ["ES5"] };
  const compilerOptions = { rootDir: "mutant", outDir: "build", ...unchecked };
  const config = { extends: join(ROOT, "tsconfig.json"), compilerOptions, files: [`mutant/${file}`], include: [] };
  tree.write(`mutant/${file}`, text);
  tree.write("mutant.json", JSON.stringify(config));
  const tsc = join(createRequire(import.meta.url).resolve("typescript/package.json"), "../bin/tsc");
  const { code, out } = await run([tsc, "-p", join(tree.root, "mutant.json")], COMPILER_MS);
  if (code !== 0) throw new Error(`it does not compile: ${out}`);
}

async function caught(
  tree: Tree,
  before: string,
  files: readonly string[],
  find: string,
  replace: string,
): Promise<Noticed> {
  const file = fileWith(find);
  const compiled = `build/${file.replace(/\.ts$/, ".js")}`;
  const right = tree.read(compiled);
  try {
    await compile(
      tree,
      file,
      tree.read(file).replace(find, () => replace),
    );
    if (tree.read(compiled) === right) throw new Error("what is compiled is the same");
    const [known = "", name] = before.split(/: (.*)/s);
    const noticed = name && (await notice(tree, known, name));
    if (noticed) return noticed;
    for (const one of files) {
      const noticed = await notice(tree, one);
      if (noticed !== null) return noticed;
    }
    throw new Error(`not by ${files.length > 1 ? "any test file" : files[0]}: ${file}`);
  } finally {
    tree.restore([compiled]);
  }
}

/** All test files, this one first. */
function tests(first: string): string[] {
  const files = fs.readdirSync(join(ROOT, "build/test")).filter((file) => file.endsWith(".test.js"));
  return [...new Set([first, ...files.map((file) => file.slice(0, -".test.js".length))])];
}
