// The runtime that runs the command, by its own word: Bun and Deno say which Node they are like as well.

type Name = "node" | "deno" | "bun";

const versions = process.versions as Partial<Record<Name, string>>;

const name: Name = versions.bun !== undefined ? "bun" : versions.deno !== undefined ? "deno" : "node";

export const runtime: { readonly name: Name; readonly version: string } = { name, version: versions[name] as string };
