// The page of a folder as text: what it says, what it escapes, and what it may load and run. test/browser.listing.long.ts looks at it.

import { createHash } from "node:crypto";
import fs from "node:fs";
import { basename, join } from "node:path";
import * as assert from "uvu/assert";
import type { Listing } from "../cli/serve/catalog.js";
import { kindOf } from "../cli/serve/icons.js";
import { folderPage } from "../cli/serve/page.js";
import { BOUNDS } from "../cli/serve/tar.js";
import { inFolder } from "./lib/command.js";
import { listed } from "./lib/listed.js";
import { suite } from "./lib/suite.js";
import { exchange, header, parse, request, within } from "./lib/web.js";

const test = suite("pages");

const NAME = { by: "name", descending: false } as const;
const SIZE = { by: "size", descending: false } as const;

const EMPTY: Listing = { entries: [], folders: 0, files: 0, matches: null, unnamed: 0, page: 1, pages: 1 };

/** The page of some files, or of what else is said. */
function made(
  names: readonly string[],
  more: Partial<Listing> = {},
  filter = "",
  order: typeof NAME | typeof SIZE = NAME,
) {
  const entries = names.map((name) => ({ name, folder: name === "folder", size: 1, modified: new Date(0) }));
  const listing = { ...EMPTY, entries, files: names.length, ...more };
  return folderPage(["top & all", "below"], { order, filter }, listing, new AbortController().signal);
}

const unescaped = (text: string) => text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));

test("a folder has its own name, and those above it lead there; the first one is the served folder's", () =>
  inFolder(async (folder) => {
    fs.mkdirSync(join(folder, "a & b", "c"), { recursive: true });
    const at = await listed(folder);
    const ask = async (target: string) =>
      parse(await within(exchange(at.port, request(target)), target)).body.toString();
    const first = basename(folder);
    const top = await ask("/");
    assert.match(top, `<title>${first}</title>`);
    assert.match(top, `<h1><bdi>${first}</bdi></h1>`);
    assert.not.match(top, "<nav");
    const below = await ask("/a%20%26%20b/c/?sort=size");
    assert.match(below, "<title>c</title>");
    assert.match(
      below,
      `<nav aria-label="Folders above"><ol><li><a href="../../?sort=size"><bdi>${first}</bdi></a></li><li><a href="../?sort=size"><bdi>a &#38; b</bdi></a></li></ol></nav>`,
    );
    assert.match(below, '<a href="../?sort=size" rel="up">');
    await at.close();
  }));

test("its policy: one style and one script, known by their hashes, and forms to itself", () =>
  inFolder(async (folder) => {
    const at = await listed(folder);
    const { headers, body } = parse(await within(exchange(at.port, request("/")), "the page"));
    await at.close();
    const hash = (tag: string) => {
      const found = [...body.toString().matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, "g"))];
      assert.is(found.length, 1, tag);
      return `'sha256-${createHash("sha256")
        .update(found[0]?.[1] ?? "")
        .digest("base64")}'`;
    };
    assert.equal(header(headers, "content-security-policy")?.split("; "), [
      "default-src 'none'",
      `style-src ${hash("style")}`,
      `script-src ${hash("script")}`,
      "img-src data:",
      "form-action 'self'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
    ]);
    assert.not.match(body.toString(), / (?:style|on[a-z]+)="/);
  }));

test("a filter is escaped, bounded, and kept by the order and the pages, but not by folders", async () => {
  const filter = `<script>"'&`;
  const page = await made(["folder", "x"], { matches: 1234, files: 5000, page: 2, pages: 3 }, filter, SIZE);
  assert.is(page.match(/<script/g)?.length, 1);
  assert.match(page, 'value="&#60;script&#62;&#34;&#39;&#38;"');
  assert.match(page, "1,234 of 5,000 names match “<bdi>&#60;script&#62;&#34;&#39;&#38;</bdi>”");
  const q = "q=%3Cscript%3E%22%27%26&";
  const hrefs = [...page.matchAll(/<a href="([^"]*)"/g)].map(([, href]) => unescaped(href as string));
  assert.equal(hrefs, [
    ...["../?sort=size&order=asc", "./?tar"],
    ...[`./?${q}sort=size&order=asc`, `./?${q}sort=size&order=asc&page=3`],
    "./?sort=size&order=asc",
    ...[`./?${q.slice(0, -1)}`, `./?${q}sort=size`, `./?${q}sort=date`],
    ...["../?sort=size&order=asc", "./folder/?sort=size&order=asc", "./x"],
    ...[`./?${q}sort=size&order=asc`, `./?${q}sort=size&order=asc&page=3`],
  ]);
  assert.match(page, '<input type="hidden" name="sort" value="size"><input type="hidden" name="order" value="asc">');
  assert.match(await made([], { matches: 0, files: 3 }, "x"), "None of 3 names match “");
  assert.match(await made(["x"], { matches: 1, files: 3 }, "x"), "1 of 3 names matches “");
  await inFolder(async (folder) => {
    const at = await listed(folder);
    const { body } = parse(await within(exchange(at.port, request(`/?q=${"x".repeat(5000)}`)), "the page"));
    await at.close();
    assert.match(body.toString(), `value="${"x".repeat(100)}"`);
  });
});

test("a folder of more than an archive may have offers none", async () => {
  assert.match(await made([], { files: BOUNDS.members - 1 }), 'href="./?tar"');
  assert.not.match(await made([], { files: BOUNDS.members }), "?tar");
});

test("long names are in two pieces, which are cut between characters", async () => {
  const names = [
    `${"a".repeat(14)}123456.txt`,
    `${"a".repeat(15)}123456.txt`,
    `${"a".repeat(30)}😀12345.txt`,
    `${"a".repeat(30)}😀123456.txt`,
    `${"a".repeat(30)}e\u0301\u0302123456.txt`,
    `${"a".repeat(30)}👩\u200d💻123456.txt`,
    `${"a".repeat(30)}👍🏽12345.txt`,
    `${"a".repeat(30)}👩\u200d💻1234.txt`,
    `${"a".repeat(30)}${"\u0301".repeat(40)}`,
  ];
  const page = await made(names);
  const found = [
    ...page.matchAll(/<td class="n[^"]*"><a href="[^"]*"( title="[^"]*" aria-label="[^"]*")?><bdi>(.*)<\/bdi>/g),
  ];
  const pieces = found.map(([, , text = ""]) => [...text.matchAll(/<span>(.*?)<\/span>/g)].map(([, one]) => one));
  assert.equal(pieces.slice(0, 8), [
    [],
    ["a".repeat(15), "123456.txt"],
    [`${"a".repeat(30)}`, "😀12345.txt"],
    [`${"a".repeat(30)}😀`, "123456.txt"],
    [`${"a".repeat(30)}e\u0301\u0302`, "123456.txt"],
    [`${"a".repeat(30)}👩\u200d💻`, "123456.txt"],
    [`${"a".repeat(30)}`, "👍🏽12345.txt"],
    [`${"a".repeat(30)}`, "👩\u200d💻1234.txt"],
  ]);
  found.slice(1).forEach(([, whole], i) => {
    const name = names[i + 1] as string;
    assert.is(whole, ` title="${name}" aria-label="${name}"`);
    assert.is(pieces[i + 1]?.join(""), name);
  });
});

test("kinds of files by their names", () => {
  const kinds = ["a.JPG", "b.mp4", "c.flac", "d.tar.gz", "e.pdf", "f.ts", "g", ".zip.x", "zip", "h.bin"].map(kindOf);
  assert.equal(kinds, ["i", "v", "m", "z", "t", "c", "", "", "", ""]);
});

test("media have types that browsers open, and are no downloads", () =>
  inFolder(async (folder) => {
    const types = {
      ...{ mp4: "video/mp4", webm: "video/webm", ogv: "video/ogg", m4v: "video/x-m4v", mov: "video/quicktime" },
      ...{ mp3: "audio/mpeg", m4a: "audio/mp4", ogg: "audio/ogg", flac: "audio/x-flac", wav: "audio/wav" },
      ...{ jpg: "image/jpeg", png: "image/png", webp: "image/webp", avif: "image/avif", svg: "image/svg+xml" },
      ...{ pdf: "application/pdf", txt: "text/plain; charset=utf-8" },
    };
    const at = await listed(folder);
    const seen: Record<string, string | undefined> = {};
    for (const extension of Object.keys(types)) {
      fs.writeFileSync(join(folder, `a.${extension}`), "x");
      const got = parse(await within(exchange(at.port, request(`/a.${extension}`)), extension));
      seen[extension] = header(got.headers, "content-type");
      assert.is(header(got.headers, "content-disposition"), undefined);
      assert.is(header(got.headers, "accept-ranges"), "bytes");
    }
    await at.close();
    assert.equal(seen, types);
  }));

test.run();
