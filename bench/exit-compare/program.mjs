// One row on one package: `node program.mjs <package> <row>`.

import { openSync, writeSync } from "node:fs";
import process from "node:process";
import { open } from "./packages.mjs";
import { rows } from "./rows.mjs";

const [, , name, row] = process.argv;
const fd = openSync(process.env.SAID, "a");
const say = (line) => writeSync(fd, `${line}\n`);
const registered = await open(name);
const { natural, program } = rows[row];
// At a natural end nothing may keep it alive.
if (!natural) setInterval(() => {}, 1000);
program(registered, say);
if (!natural) process.stdout.write("ready\n");
