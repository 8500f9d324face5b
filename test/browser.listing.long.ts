// npm test -- http: Chromium on the pages of folders that `sendoff serve` makes. Without Chromium it is skipped; what looks for faults
// of accessibility is axe-core, in test/browser.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { Chromium, findChromium, type Page } from "./lib/chromium.js";
import { until } from "./lib/command.js";
import { type Serving, serving } from "./lib/serving.js";
import { suite } from "./lib/suite.js";

const test = suite("listing");
const found = findChromium();
const AXE = fileURLToPath(new URL("../../test/browser/node_modules/axe-core/axe.min.js", import.meta.url));

let browser: Chromium;
let folder: string;
let server: Serving;
const ODD = "ünï cödé & <b>#?%.txt";
const LONG = `${"long-name-without-any-space-".repeat(5)}.txt`;
const NAME = "Holiday <2024> & more";
/** Of several pages. */
const MANY = 2500;

test.before(async () => {
  if ("missing" in found) return;
  folder = await mkdtemp(join(tmpdir(), "sendoff-listing-"));
  const root = join(folder, NAME);
  for (const name of ["folder/deeper", "empty", "many"]) await mkdir(join(root, name), { recursive: true });
  await writeFile(join(root, "folder", "inside.txt"), "inside");
  await writeFile(join(root, "big.bin"), "b".repeat(5_000_001));
  for (const name of [ODD, LONG, "film.webm", "tone.wav", "photo.jpg", "code.ts", "archive.zip"]) {
    await writeFile(join(root, name), name);
  }
  for (let i = 0; i < MANY; i++) writeFileSync(join(root, "many", `file ${i}`), "");
  server = await serving([root]);
  browser = await Chromium.launch(found.path);
});

test.after(async () => {
  if ("missing" in found) return;
  await browser?.close();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Fails if the page has complained, or its policy was violated. */
function browsing(name: string, run: (page: Page) => Promise<void>): void {
  if ("missing" in found) return test.skip(`${name} (${found.missing})`);
  test(name, async () => {
    const page = await browser.page();
    await page.send("Page.addScriptToEvaluateOnNewDocument", {
      source: `addEventListener("securitypolicyviolation", (event) => (window.violated = event.violatedDirective))`,
    });
    await run(page);
    assert.equal(page.complaints, []);
    assert.is(await page.evaluate("window.violated ?? null"), null);
  });
}

const ALL = [
  "empty/",
  "folder/",
  "many/",
  "archive.zip",
  "big.bin",
  "code.ts",
  "film.webm",
  LONG,
  "photo.jpg",
  "tone.wav",
  ODD,
];

const names = (page: Page) =>
  page.evaluate<string[]>(
    `[...document.querySelectorAll("tbody tr:not([hidden]):not(.up) td:first-child a")].map((a) => a.textContent)`,
  );
const focus = (page: Page) =>
  page.evaluate<string>(
    `(({ ariaLabel, title, innerText }) => title || ariaLabel || innerText.trim())(document.activeElement)`,
  );
const told = (page: Page) => page.evaluate<string>(`document.querySelector("[role=status]").textContent`);

browsing("a folder's page: its name, its names, its columns, and nothing from elsewhere", async (page) => {
  const requests: string[] = [];
  page.on("Network.requestWillBeSent", ({ request }) => requests.push((request as { url: string }).url));
  await page.screen(1100);
  await page.goto(server.url);
  await page.picture("light");
  assert.equal(await names(page), ALL);
  assert.is(await page.evaluate("document.title"), NAME);
  assert.is(await page.evaluate("document.querySelector('h1').innerText"), NAME);
  assert.is(await page.evaluate(`document.querySelector("time").dateTime.endsWith("Z")`), true);
  assert.is(await page.evaluate(`document.querySelector('[title="5,000,001 bytes"]').innerText`), "5.0 MB");
  assert.is(await page.evaluate(`document.querySelector("th[aria-sort]").innerText.trim()`), "Name ↑");
  const icons = await page.evaluate<string[]>(
    `[...document.querySelectorAll("td a")].map((a) => getComputedStyle(a, "::before").maskImage)`,
  );
  assert.ok(icons.every((icon) => icon.startsWith('url("data:image/svg+xml,')));
  assert.is(new Set(icons).size, 8, "folder, archive, any, code, film, text, photo, sound");
  assert.equal(
    requests.filter((url) => !url.startsWith("data:")),
    [server.url],
    "one request is all it takes",
  );
});

browsing("a long name is cut in its middle, and whole in its title and for screen readers", async (page) => {
  for (const width of [1100, 360]) {
    await page.screen(width);
    await page.goto(server.url);
    const cut = await page.evaluate<{ [name: string]: unknown }>(`(() => {
      const a = document.querySelector('a[title^="long"]');
      const [head, tail] = a.querySelectorAll("span");
      const cell = a.getBoundingClientRect(), end = tail.getBoundingClientRect();
      return {
        title: a.title, label: a.ariaLabel, tail: tail.textContent,
        isCut: head.scrollWidth > head.clientWidth, ellipsis: getComputedStyle(head).textOverflow,
        isWhole: tail.scrollWidth <= tail.clientWidth + 1 && end.right <= cell.right && end.top < cell.bottom,
        lines: Math.round(a.querySelector("bdi").getBoundingClientRect().height / 24),
      };
    })()`);
    const tail = LONG.slice(-10);
    const seen = { isCut: true, ellipsis: "ellipsis", isWhole: true, lines: 1 };
    assert.equal(cut, { title: LONG, label: LONG, tail, ...seen }, `${width}`);
  }
});

browsing("dark where the system is", async (page) => {
  const back = `getComputedStyle(document.body).backgroundColor`;
  await page.screen(1100);
  await page.goto(server.url);
  assert.is(await page.evaluate(back), "rgb(255, 255, 255)");
  await page.screen(1100, "dark");
  assert.is(await page.evaluate(back), "rgb(21, 24, 28)");
  await page.picture("dark");
});

browsing("keyboard alone: into a folder, sorted, and back", async (page) => {
  await page.screen(1100);
  await page.goto(server.url);
  const seen: string[] = [];
  for (let i = 0; i < 20 && seen.at(-1) !== "folder/"; i++) {
    await page.key("Tab");
    seen.push(await focus(page));
  }
  const tools = ["Filter names", "Search", "Download folder (.tar)"];
  assert.equal(seen, [...tools, "Name ↑", "Size", "Modified", "empty/", "folder/"]);
  assert.is.not(
    await page.evaluate(`getComputedStyle(document.activeElement).outlineStyle`),
    "none",
    "the focus is seen",
  );
  await page.picture("focus");
  await page.leads(() => page.key("Enter"));
  assert.is(await page.evaluate("location.pathname"), "/folder/");
  assert.is(await page.evaluate("document.querySelector('h1').innerText"), "folder");
  await page.picture("folder");
  await page.key("Tab");
  assert.is(await focus(page), NAME);
  await page.leads(() => page.key("Enter"));
  assert.is(await page.evaluate("location.pathname"), "/");
  for (let i = 0; i < 5; i++) await page.key("Tab");
  await page.leads(() => page.key("Enter"));
  assert.is(await page.evaluate("location.search"), "?sort=size");
  assert.is(await page.evaluate(`document.querySelector("th[aria-sort=descending]").innerText.trim()`), "Size ↓");
});

browsing(
  "the filter: / goes to it, it filters while somebody writes, arrows go to the rows, Escape clears",
  async (page) => {
    await page.screen(1100);
    await page.goto(server.url);
    await page.key("/");
    assert.is(await focus(page), "Filter names");
    await page.write("CÖDE");
    assert.equal(await names(page), ["code.ts", ODD]);
    assert.is(await told(page), "2 names match");
    await page.picture("filter");
    await page.key("ArrowDown");
    assert.is(await focus(page), "code.ts");
    await page.key("ArrowDown");
    await page.key("ArrowDown");
    assert.is(await focus(page), ODD, "the last one");
    await page.key("ArrowUp");
    await page.key("ArrowUp");
    assert.is(await focus(page), "Filter names");
    await page.write("x");
    assert.equal([await names(page), await told(page)], [[], "No names match"]);
    await page.picture("filter-none");
    await page.key("Escape");
    assert.equal([await names(page), await told(page)], [ALL, ""]);
    await page.write("tone");
    assert.is(await told(page), "1 name matches");
    for (let i = 0; i < 6; i++) await page.key("Tab");
    assert.is(await focus(page), "tone.wav", "the other rows are left out");
    assert.is(await page.evaluate("location.search"), "", "nothing was asked for");
  },
);

browsing("a folder of several pages: what is on the page, and by Enter what is in the folder", async (page) => {
  await page.screen(1100);
  await page.goto(`${server.url}many/?order=desc`);
  assert.equal([(await names(page)).length, (await names(page))[0]], [1000, "file 2499"]);
  await page.key("/");
  await page.write("file 23");
  assert.is(await told(page), "100 names match on this page: Enter searches the folder");
  await page.picture("many");
  await page.leads(() => page.key("Enter"));
  assert.is(await page.evaluate("location.search"), "?q=file+23&order=desc");
  assert.equal([(await names(page)).length, (await names(page)).at(-1)], [111, "file 23"]);
  assert.match(
    await page.evaluate("document.querySelector('caption').innerText"),
    /^111 of 2,500 names match “file 23”/,
  );
  assert.is(await told(page), "");
  await page.picture("many-found");
  // Cleared, it is the folder again.
  await page.key("/");
  await page.leads(() => page.key("Escape"));
  assert.is(await page.evaluate("location.search"), "?order=desc");
});

browsing("without a script: the form asks the server", async (page) => {
  await page.send("Emulation.setScriptExecutionDisabled", { value: true });
  await page.screen(1100);
  await page.goto(`${server.url}?sort=size`);
  await page.key("Tab");
  await page.write("<B>#");
  await page.leads(() => page.key("Enter"));
  await page.send("Emulation.setScriptExecutionDisabled", { value: false });
  assert.is(await page.evaluate("location.search"), "?q=%3CB%3E%23&sort=size");
  assert.equal(await names(page), [ODD]);
  assert.is(await page.evaluate("document.querySelector('input').value"), "<B>#");
  await page.picture("without-script");
});

browsing(
  "a telephone of 360 pixels: size and date below the name, nothing to scroll sideways, room for a thumb",
  async (page) => {
    await page.screen(360);
    for (const [path, name] of [
      ["", "phone"],
      ["folder/deeper/", "phone-folder"],
      ["many/?page=2", "phone-pages"],
      ["?q=none", "phone-none"],
      ["none", "phone-error"],
    ] as const) {
      await page.goto(server.url + path);
      // 404
      if (path === "none") assert.match(page.complaints.splice(0).join(), /^[^,]*"source":"network"/);
      await page.picture(name);
      assert.is(await page.evaluate("innerWidth"), 360, path);
      assert.ok((await page.evaluate<number>("document.documentElement.scrollWidth")) <= 360, path);
      const small = await page.evaluate<string[]>(
        `[...document.querySelectorAll("a, button, input[type=search]")].filter((a) => a.getBoundingClientRect().height < 44).map((a) => a.outerHTML)`,
      );
      assert.equal(small, [], path);
    }
    await page.goto(server.url);
    const below = await page.evaluate<boolean[]>(`[...document.querySelectorAll("tbody tr")].map((tr) => {
    const [name, size, date] = [tr.querySelector("bdi"), tr.cells[1], tr.querySelector("time")].map((one) => one.getBoundingClientRect());
    return date.top >= name.bottom && (size.width === 0 || size.right <= date.left) && date.left >= name.left;
  })`);
    assert.equal(
      below,
      ALL.map(() => true),
    );
  },
);

browsing("a folder's archive is a download, and the page stays", async (page) => {
  const downloads = join(folder, "downloads");
  await browser.send("Browser.setDownloadBehavior", {
    ...{ behavior: "allow", downloadPath: downloads, eventsEnabled: true },
  });
  await page.goto(`${server.url}folder/`);
  await page.evaluate(`document.querySelector('a[href="./?tar"]').click()`);
  // Its name comes before its bytes.
  const bytes = () => readFile(join(downloads, "folder.tar")).catch(() => Buffer.alloc(0));
  await until("the download", async () => (await bytes()).length > 0);
  const tar = await bytes();
  assert.equal([tar.length, tar.includes("folder/inside.txt")], [512 * 6, true]);
  assert.is(await page.evaluate("location.pathname"), "/folder/");
});

browsing("what is put into a page does not run: its policy says so", async (page) => {
  await page.goto(server.url);
  await page.evaluate(`document.body.insertAdjacentHTML("beforeend", '<img src="data:," onerror="window.ran = 1">')`);
  await until("the violation", async () => (await page.evaluate("window.violated ?? null")) !== null);
  assert.equal(await page.evaluate("[window.ran ?? null, window.violated]"), [null, "script-src-attr"]);
  await page.evaluate("delete window.violated");
  page.complaints.length = 0;
});

interface Fault {
  id: string;
  nodes: { html: string; failureSummary: string }[];
}

const missing = existsSync(AXE) ? null : "no axe-core in test/browser: npm test -- http installs it";
if (missing !== null) test.skip(`axe finds no fault (${missing})`);
else {
  browsing("axe finds no fault: light and dark, wide and on a telephone", async (page) => {
    const axe = readFileSync(AXE, "utf8");
    for (const colours of ["light", "dark"] as const) {
      for (const width of [1100, 360]) {
        await page.screen(width, colours);
        for (const path of [
          "",
          "folder/",
          "folder/deeper/",
          "empty/",
          "many/?q=file+12&sort=size",
          "?q=none",
          "none",
        ]) {
          await page.goto(server.url + path);
          if (path === "none") page.complaints.length = 0; // 404
          assert.equal(page.complaints, []);
          await page.evaluate(`${axe};0`);
          const faults = await page.evaluate<Fault[]>(`axe.run().then(({ violations }) => violations)`);
          const told = faults.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}: ${nodes[0]?.failureSummary}`);
          assert.equal(told, [], `${path}, ${colours}, ${width}`);
        }
      }
    }
  });
}

test.run();
