// npm run figures: the figures of the pages, and the charts, from the records of published runs in docs/figures.
//
//   node bench/figures/run.js                      writes the pages' figures, and draws the charts that are stale
//   node bench/figures/run.js --check              writes nothing: says what is stale, or has no source, and fails
//   node bench/figures/run.js --from build/bench   takes what the benches wrote into the records, first
//
//   --only NAME,…  of --from: these records. Default: every one whose bench wrote all of it
//   --to DIR       of --from: charts of whatever was measured go there, to look at; the documents stay as they are

import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { install } from "../../install.js";
import { CHARTS, findings, fresh } from "./check.js";
import { digest, signed } from "./digest.js";
import { filled, pages } from "./pages.js";
import { FOLDER, figures, parsed, read, text } from "./records.js";
import { retaken } from "./take.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const { values } = parseArgs({
  options: {
    check: { type: "boolean", default: false },
    from: { type: "string" },
    only: { type: "string" },
    to: { type: "string" },
  },
});
const records = read(ROOT);
const only = values.only?.split(",") ?? [...records.keys()];
const stranger = only.find((name) => !records.has(name));
if (stranger !== undefined) throw new RangeError(`--only knows ${[...records.keys()].join(", ")} (got '${stranger}')`);
const to = values.to && resolve(values.to);
if (to && values.from === undefined) throw new TypeError("--to wants --from");
if (values.check && values.from !== undefined) throw new TypeError("--check takes no --from");
if (values.from !== undefined && !statSync(values.from).isDirectory()) throw new TypeError(`no folder: ${values.from}`);

if (!values.check) {
  const changed = values.from === undefined ? [] : await take(resolve(values.from));
  const folder = to ?? join(ROOT, FOLDER);
  mkdirSync(folder, { recursive: true });
  for (const name of changed) writeFileSync(join(folder, `${name}.json`), text(recordOf(name)));
  if (to) await draw(changed, to);
  else {
    await draw(
      [...records.keys()].filter((name) => !fresh(ROOT, name, recordOf(name))),
      join(ROOT, CHARTS),
    );
    write();
  }
}
if (!to) {
  const found = findings(ROOT);
  for (const finding of found) console.error(finding);
  if (found.length > 0) process.exitCode = 1;
  else console.log(`${figures(records).size} figures of ${records.size} records: none is stale`);
}

/** The names of the records that are another run's now. @param {string} folder */
async function take(folder) {
  const changed = [];
  for (const name of only) {
    const record = recordOf(name);
    const file = join(folder, `${record.bench}.json`);
    if (to && record.values === undefined) continue;
    if (!existsSync(file)) {
      if (values.only) console.log(`${name}: stays as it is, there is no ${file}`);
      continue;
    }
    const chart = record.values && (await import(await chartOf(name)));
    const known = to ? { ...record, values: undefined, figures: undefined } : record; // to look at, a part is enough
    const result = retaken(known, parsed(file), chart?.values);
    if ("lacks" in result) {
      const all = Object.keys(known.figures ?? {}).length + (known.values ? 1 : 0);
      if (result.lacks.length < all) console.log(`${name}: stays as it is, ${file} lacks ${result.lacks.join(", ")}`);
      continue;
    }
    records.set(name, result.record);
    changed.push(name);
    console.log(`${name}: ${result.record.command}`);
  }
  return changed;
}

/** Those of the records that a chart is drawn from. @param {string[]} names @param {string} folder */
async function draw(names, folder) {
  for (const name of names) {
    const record = recordOf(name);
    if (record.values === undefined) continue;
    const { draw } = await import(await chartOf(name));
    const file = join(folder, `${name}.svg`);
    writeFileSync(file, signed(await draw(record), digest(ROOT, name, record)));
    console.log(`drawn: ${file}`);
  }
}

/** Its module, once that can be imported. @param {string} name */
async function chartOf(name) {
  const missing = await install("bench/figures/charts");
  if (missing !== null) throw new Error(missing);
  return new URL(`charts/${name}.js`, import.meta.url).href;
}

function write() {
  const known = figures(records);
  for (const [name, page] of pages(ROOT)) {
    const now = filled(page, known);
    if (now === page) continue;
    writeFileSync(join(ROOT, name), now);
    console.log(`written: ${name}`);
  }
}

/** @param {string} name */
function recordOf(name) {
  return /** @type {import("./records.js").Published} */ (records.get(name));
}
