// The figures of the pages, and the charts: that none is stale, and that a stale one is found.

import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { tempFolder } from "./lib/files.js";
import { test } from "./lib/suite.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const figures = (file: string) => import(new URL(`../../bench/figures/${file}`, import.meta.url).href);
const { findings } = await figures("check.js");
const { taken } = await figures("query.js");
const { retaken } = await figures("take.js");
const { shown } = await figures("format.js");
const { filled, broken } = await figures("pages.js");

/** What the check reads: a file of it, and what is changed there. */
type Edit = [file: string, from: string | RegExp, to: string];

const PAGE = "README.md";
const RECORD = "docs/figures/server.json";
const MARK = "<!--figure serve.nginx-4k-->";

const STALE: [what: string, edit: Edit, finding: RegExp][] = [
  [
    "a figure of a page",
    [PAGE, /(?<=<!--figure serve\.nginx-4k-->)[\d.]+/, "9.99"],
    /^README\.md:\d+: serve\.nginx-4k is [\d.]+, and the page says '9\.99'$/,
  ],
  ["a figure that no record has", [PAGE, MARK, "<!--figure serve.nobody-->"], /: no record has 'serve\.nobody'$/],
  ["a mark without its end", [PAGE, MARK, `${MARK}1${MARK}`.replace("serve", " serve")], /: the mark .* not whole/],
  ["a mark that begins a line", [PAGE, MARK, `\n${MARK}`], /: the mark .* begins the line$/],
  ["a record without a command", [RECORD, /"command": ".*"/, '"command": ""'], /server\.json: no command$/],
  ["a figure without a value", [RECORD, '"label":"Bun.serve"}', '"label":"nobody"}'], /^server\.bun-4k: has no value/],
  [
    "a figure in no page",
    [RECORD, '"figures": {', '"figures": {"unused": {"what":"nothing","value":1},'],
    /^server\.unused: in no page$/,
  ],
  ["a chart of other values", [RECORD, /"rate":\d+/, '"rate":1'], /^docs\/charts\/server\.svg: not drawn from/],
  [
    "a chart drawn by other code",
    ["bench/figures/charts/picture.js", '"#ffffff"', '"#fffffe"'],
    /^docs\/charts\/lag\.svg: not drawn from/,
  ],
];

test("no figure and no chart is stale", () => {
  assert.equal(findings(ROOT), []);
});

for (const [what, [file, from, to], finding] of STALE) {
  test(`the check finds ${what}`, (cleanup) => {
    const copy = tempFolder(cleanup);
    for (const part of ["README.md", "docs", "bench/figures", "bench/lib"]) {
      mkdirSync(join(copy, part, ".."), { recursive: true });
      cpSync(join(ROOT, part), join(copy, part), {
        recursive: true,
        filter: (source) => !source.includes("node_modules"),
      });
    }
    assert.equal(findings(copy), [], "as it is");
    const before = readFileSync(join(copy, file), "utf8");
    const after = before.replace(from, to);
    assert.not.equal(after, before, "there is something to change");
    writeFileSync(join(copy, file), after);
    const found: string[] = findings(copy);
    assert.ok(
      found.some((line) => finding.test(line)),
      found.join("\n"),
    );
  });
}

test("a figure is taken from the rounds of a run", () => {
  const data = {
    figures: [
      { row: "serve", of: "a", ratios: [3, 1, 2] },
      { row: "serve", of: "b", ratios: [9] },
    ],
    results: { x: [{ user: 1, system: 2 }], y: [{ user: 2, system: 4 }], z: null },
  };
  const where = { row: "serve", of: "a" };
  assert.equal(taken(data, { at: ["figures"], where, field: "ratios" }), { value: 2, quartiles: [1.5, 2.5] });
  assert.equal(taken(data, { at: ["figures"], where, field: "ratios", take: "most" }), { value: 3 });
  const over = { at: ["results", "y"] };
  assert.equal(taken(data, { at: ["results", "x"], field: "user + system", over }), { value: 0.5 });
  assert.equal(taken(data, { at: ["results", "*", "*"], field: "user", take: "most", times: 10 }), { value: 20 });
  assert.equal(taken(data, { at: ["results", "y"], field: "user", per: 1 }), { value: 0.5 });
  assert.is(taken(data, { at: ["results", "nobody"], field: "user" }), undefined);
  assert.is(taken(data, { at: ["figures"], where, field: "ratios", over: { where: { of: "b" } } }), undefined);
});

test("a run replaces a record as a whole, or not at all", () => {
  const of = (row: string) => ({ what: row, from: { at: ["figures"], where: { row }, field: "ratios" }, value: 1 });
  const record = { bench: "server", about: "old", command: "old", machine: "old", figures: { a: of("a"), b: of("b") } };
  const run = { date: "now", command: "new", machine: { cpu: "2 x CPU", kernel: "6.18.1" }, runs: 3 };
  const a = { row: "a", ratios: [1.5] };
  assert.equal(retaken(record, { ...run, figures: [a] }), { lacks: ["b"] });
  const { record: now } = retaken(record, { ...run, figures: [a, { row: "b", ratios: [2.5] }] });
  assert.is(now.about, "2 × CPU, Linux 6.18, medians of 3");
  assert.is(now.command, "new");
  assert.equal([now.figures.a.value, now.figures.b.value], [1.5, 2.5]);
  const chart = { bench: "http", about: "", command: "", machine: "", values: [{ rate: 1 }, { rate: 2 }] };
  const rows = (count: number) => () => Array(count).fill({ rate: 3 });
  assert.equal(retaken(chart, run, rows(1)), { lacks: ["1 of its values"] });
  assert.is(retaken(chart, run, rows(2)).record.values.length, 2);
});

test("a mark without its end takes no word of the page", () => {
  const known = new Map([["a.b", { what: "", value: 2 }]]);
  const page = "<!-- figure a.b --> <!--figure a.b-->1 of all, and <!--figure a.b-->1<!--/--> more";
  assert.is(filled(page, known), page.replace("1<!--/-->", "2.0<!--/-->"));
  assert.equal(broken(`right: <!--figure a.b-->1<!--/-->\n${page}\nwrong: <!-- figure a.b -->1`), [2, 3]);
});

test("a figure is shown with the digits that it deserves", () => {
  for (const [figure, text] of [
    [{ value: 0.1568 }, "0.16"],
    [{ value: 1.394 }, "1.39"],
    [{ value: 2.042 }, "2.0"],
    [{ value: 1.578, unit: "ms" }, "1.6"],
    [{ value: 66_225, unit: "1/s" }, "66,000"],
    [{ value: 143.7, unit: "KB", digits: 3 }, "144"],
    [{ value: 8.6, unit: "KB", digits: 1 }, "9"],
  ] as const) {
    assert.is(shown(figure), text);
  }
});

test.run();
