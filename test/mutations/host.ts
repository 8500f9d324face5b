// Mistakes in host/ and cli/: the rows of table.ts. The file that has the text is compiled with the other one in its
// place, in a copy of the project; then the test file of the row is run there, and where that finds nothing, all others.

import fs from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Mutant } from "./run.js";
import { TABLE } from "./table.js";
import { inTree, noticed, ROOT, run, type Tree } from "./tree.js";

/** What tsc may take for one file, in ms. */
const COMPILER_MS = 120_000;

export function hostMutants(): Mutant[] {
  return Object.entries(TABLE).flatMap(([test, mutations]) =>
    Object.entries(mutations).map(([name, [find, replace]]) => ({
      name,
      caught: () => caught(name, test, find, replace),
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

async function compile(tree: Tree, file: string): Promise<void> {
  const compilerOptions = { rootDir: ".", outDir: "build", declaration: false, noCheck: true, noResolve: true };
  const config = { extends: join(ROOT, "tsconfig.json"), compilerOptions, files: [file], include: [] };
  fs.writeFileSync(join(tree.root, "mutant.json"), JSON.stringify(config));
  const tsc = join(createRequire(import.meta.url).resolve("typescript/package.json"), "../bin/tsc");
  const { code, out } = await run([tsc, "-p", join(tree.root, "mutant.json")], COMPILER_MS);
  if (code !== 0) throw new Error(`it does not compile: ${out}`);
}

async function caught(name: string, test: string, find: string, replace: string): Promise<string> {
  const file = fileWith(find);
  return inTree(name, async (tree) => {
    const before = compiled(tree, file);
    tree.own(file.split("/")[0] as string);
    tree.rewrite(file, (text) => text.replace(find, () => replace));
    await compile(tree, file);
    if (compiled(tree, file) === before) throw new Error("what is compiled is the same");
    const named = `build/test/${test}.test.js`;
    const failure = await noticed(tree, named);
    if (failure !== null) return failure;
    for (const other of tree.tests().filter((path) => path.endsWith(".test.js") && path !== named)) {
      const by = await noticed(tree, other).catch(() => null);
      if (by !== null) return `${by} (and not by ${test})`;
    }
    throw new Error(`nobody has noticed it in ${file}`);
  });
}

function compiled(tree: Tree, file: string): string {
  return fs.readFileSync(join(tree.root, "build", file.replace(/\.ts$/, ".js")), "utf8");
}
