// The server in C.

import { compiled } from "../../lib/cc.js";

/**
 * Compiles it into `folder`; it serves the files in `root`.
 *
 * @param {string} folder
 * @param {string} root
 * @returns {Promise<{ argv: string[] }>}
 */
export async function bare(folder, root) {
  return { argv: [compiled(new URL("bare.c", import.meta.url), folder), root] };
}
