// Imported into each process under load (NODE_OPTIONS): says twice a second how many records of the core are
// taken, and how large the core's memory is. What else there is to know is in /proc.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { host } from "#process";
import { census } from "../lib/census.js";

const { shared } = host();
const records = census(shared);
const file = join(process.env.SOAK_PROBE as string, String(process.pid));

setInterval(() => {
  writeFileSync(file, JSON.stringify({ open: records.open, wasm: shared.core.memory.buffer.byteLength }));
}, 500).unref();
