// The pages of `sendoff serve`: a folder, and an error. Plain HTML that needs nothing but itself.

import { createHash } from "node:crypto";
import { twoDigits } from "../../host/calendar.js";
import { units } from "../units.js";
import type { Entry, Listing, Order } from "./catalog.js";
import { due, turn } from "./pace.js";

const STYLE = `
:root{color-scheme:light dark;--back:#fff;--ink:#1c1e21;--soft:#5c6370;--line:#e3e6ea;--hover:#f1f5fb;--link:#0b57d0;--folder:#d99a1c;--file:#9aa3af}
@media (prefers-color-scheme:dark){:root{--back:#15171a;--ink:#e6e8eb;--soft:#9aa3af;--line:#2b2f36;--hover:#1f242c;--link:#8ab4f8;--folder:#e0b04c;--file:#6f7884}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:64rem;padding:1rem clamp(.5rem,3vw,2rem) 3rem;background:var(--back);color:var(--ink);font:1rem/1.45 system-ui,sans-serif}
a{color:var(--link);text-decoration:none}
a:hover{text-decoration:underline}
a:focus-visible{outline:3px solid var(--link);outline-offset:-3px;border-radius:.4rem}
nav ol{display:flex;flex-wrap:wrap;margin:0;padding:0;list-style:none;color:var(--soft)}
nav li{display:flex;align-items:center;min-width:0;overflow-wrap:anywhere}
nav li+li::before{content:"/"}
nav a,p a{display:inline-flex;align-items:center;min-height:2.75rem}
nav a{padding:0 .5rem}
h1{margin:.25rem .5rem .75rem;font-size:1.5rem;line-height:1.25;font-weight:600;overflow-wrap:anywhere}
table{width:100%;border-collapse:collapse}
caption{padding:0 .5rem .5rem;color:var(--soft);font-size:.875rem;text-align:left;caption-side:top}
th{padding:0;border-bottom:2px solid var(--line);text-align:left;font-size:.875rem;font-weight:600}
th a{display:block;min-height:2.75rem;padding:.8rem .5rem;color:var(--soft);white-space:nowrap}
th[aria-sort] a{color:var(--ink)}
td{padding:0 .5rem;border-bottom:1px solid var(--line);color:var(--soft);font-size:.875rem;font-variant-numeric:tabular-nums;white-space:nowrap}
td.n,th:first-child{width:100%}
td.n{padding:0;font-size:1rem;white-space:normal;overflow-wrap:anywhere}
td.n a{display:flex;align-items:center;gap:.75rem;min-height:2.75rem;padding:.55rem .5rem}
bdi{white-space:pre-wrap}
.s,.s a{text-align:right}
td.n a::before{content:"";flex:none;width:1rem;height:1.2rem;background:var(--file);clip-path:polygon(8% 0,62% 0,92% 26%,92% 100%,8% 100%)}
td.d a::before{height:1rem;background:var(--folder);clip-path:polygon(0 6%,40% 6%,52% 22%,100% 22%,100% 94%,0 94%)}
td.u a::before{height:1rem;background:var(--soft);clip-path:polygon(50% 5%,100% 52%,68% 52%,68% 95%,32% 95%,32% 52%,0 52%)}
tbody tr:hover{background:var(--hover)}
p{margin:1rem .5rem;color:var(--soft)}
.p{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;align-items:center}
@media (max-width:34rem){time span{display:none}h1{font-size:1.25rem}td,caption,th{font-size:.8125rem}}
`;

/** 1,234,567. By hand: the first Intl.NumberFormat of a process takes 20 ms, and this is a whole number. */
const grouped = (number: number) => String(number).replace(/\B(?=(?:\d{3})+$)/g, ",");

/** The headers of every page. */
export const HEADERS = {
  "Content-Type": "text/html; charset=utf-8",
  "Content-Security-Policy": `default-src 'none'; style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'; img-src data:; base-uri 'none'; form-action 'none'`,
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "same-origin",
};

/** Escapes text for HTML, also between double quotes; control characters are shown by their pictures. */
function html(text: string): string {
  return text
    .replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
    .replace(/\p{Cc}/gu, (c) => {
      const code = c.charCodeAt(0);
      return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "\u2421" : "\ufffd";
    });
}

function page(title: string, body: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${html(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`;
}

/** The query of a folder's page, without defaults. */
export function queryOf({ by, descending }: Order, page = 1): string {
  const query = new URLSearchParams();
  if (by !== "name") query.set("sort", by);
  if (descending !== natural(by)) query.set("order", descending ? "desc" : "asc");
  if (page > 1) query.set("page", String(page));
  return query.size > 0 ? `?${query}` : "";
}

/** The inverse; invalid values become the default. */
export function orderOf(query: URLSearchParams): { order: Order; page: number } {
  const by = (["size", "date"] as const).find((word) => word === query.get("sort")) ?? "name";
  const order = query.get("order");
  const descending = order === "desc" || (order !== "asc" && natural(by));
  return { order: { by, descending }, page: Math.max(1, Math.floor(Number(query.get("page"))) || 1) };
}

/** By default the largest and the newest come first. */
function natural(by: Order["by"]): boolean {
  return by !== "name";
}

/**
 * The page of a folder. `names` are those of the folders on its path, from the root, unescaped.
 *
 * @throws the reason of `signal`, if that aborts.
 */
export async function folderPage(
  names: readonly string[],
  order: Order,
  listing: Listing,
  signal: AbortSignal,
): Promise<string> {
  const { entries, folders, files, unnamed, page: at, pages } = listing;
  const query = queryOf(order);
  const up = (steps: number) => html(`${"../".repeat(steps)}${query}`);
  const above = ["Home", ...names].slice(0, -1).map((name, i) => {
    return `<li><a href="${up(names.length - i)}"><bdi>${html(name)}</bdi></a></li>`;
  });
  const crumbs = above.length === 0 ? "" : `<nav aria-label="Folders above"><ol>${above.join("")}</ol></nav>\n`;
  const column = (by: Order["by"], label: string, style = "") => {
    const sorted = order.by === by;
    const next = { by, descending: sorted ? !order.descending : natural(by) };
    const aria = sorted ? ` aria-sort="${order.descending ? "descending" : "ascending"}"` : "";
    const arrow = sorted ? `<span aria-hidden="true"> ${order.descending ? "↓" : "↑"}</span>` : "";
    return `<th scope="col"${style}${aria}><a href="./${html(queryOf(next))}">${label}${arrow}</a></th>`;
  };
  const row = ({ name, folder, size, modified }: Entry) => {
    const href = `./${encodeURIComponent(name)}${folder ? `/${query}` : ""}`;
    const exact = `${grouped(size)} ${size === 1 ? "byte" : "bytes"}`;
    return `<tr><td class="n${folder ? " d" : ""}"><a href="${html(href)}"><bdi>${html(name)}${folder ? "/" : ""}</bdi></a></td><td class="s">${folder ? "" : `<span title="${exact}">${units(size)}</span>`}</td><td class="s">${time(modified)}</td></tr>`;
  };
  const parent =
    names.length === 0
      ? ""
      : `<tr><td class="n u" colspan="3"><a href="${up(1)}" rel="up">Parent folder</a></td></tr>\n`;
  const counts = [
    folders > 0 ? plural(folders, "folder") : "",
    files > 0 ? plural(files, "file") : "",
    folders + files === 0 ? "This folder is empty" : "",
    unnamed > 0 ? `${plural(unnamed, "name")} that can't be in a URL (not UTF-8) left out` : "",
  ].filter((text) => text !== "");
  const leaf = (to: number, label: string) =>
    to < 1 || to > pages ? "" : `<a href="./${html(queryOf(order, to))}">${label}</a>`;
  const leaves =
    pages === 1
      ? ""
      : `<nav aria-label="Pages"><p class="p">${leaf(at - 1, "Previous page")}<span>Page ${at} of ${pages}</span>${leaf(at + 1, "Next page")}</p></nav>\n`;

  const rows: string[] = [];
  for (const entry of entries) {
    if (due()) await turn(signal);
    rows.push(row(entry));
  }

  return page(
    `/${names.map((name) => `${name}/`).join("")}`,
    `${crumbs}<main>
<h1><bdi>${html(names.at(-1) ?? "Home")}</bdi></h1>
${leaves}<table>
<caption>${counts.join(", ")}</caption>
<thead><tr>${column("name", "Name")}${column("size", "Size", ' class="s"')}${column("date", "Modified", ' class="s"')}</tr></thead>
<tbody>
${parent}${rows.join("\n")}
</tbody>
</table>
${leaves}</main>`,
  );
}

/** The page of an error. */
export function errorPage(status: number, words: string): string {
  return page(
    `${status} ${words}`,
    `<main><h1>${status} ${html(words)}</h1><p><a href="/">To the first folder</a></p></main>`,
  );
}

function plural(count: number, word: string): string {
  return `${grouped(count)} ${word}${count === 1 ? "" : "s"}`;
}

/** In the server's time zone, for readers on the same machine; exact and in UTC for all others. */
function time(date: Date): string {
  const day = `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
  const iso = date.toISOString();
  return `<time datetime="${iso}" title="${iso}">${day}<span> ${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}</span></time>`;
}
