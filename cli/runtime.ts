// The runtime that runs the command. Bun and Deno also report a Node version.

type Name = "node" | "deno" | "bun";

const versions = process.versions as Partial<Record<Name, string>>;

const name: Name = versions.bun !== undefined ? "bun" : versions.deno !== undefined ? "deno" : "node";

export const runtime: { readonly name: Name; readonly version: string } = { name, version: versions[name] as string };
