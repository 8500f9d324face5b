// The pages of `sendoff serve`: a folder, and an error. Plain HTML that needs nothing but itself, and no script.

import { createHash } from "node:crypto";
import { twoDigits } from "../../host/calendar.js";
import { units } from "../units.js";
import type { Entry, Listing, Order } from "./catalog.js";
import { filterOf, LONGEST } from "./filter.js";
import { kindOf } from "./icons.js";
import { due, turn } from "./pace.js";
import { SCRIPT } from "./script.js";
import { STYLE } from "./style.js";
import { BOUNDS } from "./tar.js";

/** 1,234,567. By hand: the first Intl.NumberFormat of a process takes 20 ms, and this is a whole number. */
const grouped = (number: number) => String(number).replace(/\B(?=(?:\d{3})+$)/g, ",");

const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** The headers of every page: it may load nothing, and run nothing but its own script. */
export const HEADERS = {
  "Content-Type": "text/html; charset=utf-8",
  "Content-Security-Policy": [
    ...["default-src 'none'", `style-src ${hash(STYLE)}`, `script-src ${hash(SCRIPT)}`, "img-src data:"],
    ...["form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"],
  ].join("; "),
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

/** What a page shows of a folder. */
export interface View {
  readonly order: Order;
  /** From 1. */
  readonly page: number;
  /** Only names that have this in them. */
  readonly filter: string;
}

/** The query of a folder's page, without defaults. */
export function queryOf({ by, descending }: Order, page = 1, filter = ""): string {
  const query = new URLSearchParams();
  if (filter !== "") query.set("q", filter);
  if (by !== "name") query.set("sort", by);
  if (descending !== natural(by)) query.set("order", descending ? "desc" : "asc");
  if (page > 1) query.set("page", String(page));
  return query.size > 0 ? `?${query}` : "";
}

/** The inverse; invalid values become the default. */
export function viewOf(query: URLSearchParams): View {
  const by = (["size", "date"] as const).find((word) => word === query.get("sort")) ?? "name";
  const order = query.get("order");
  const descending = order === "desc" || (order !== "asc" && natural(by));
  const page = Math.max(1, Math.floor(Number(query.get("page"))) || 1);
  return { order: { by, descending }, page, filter: filterOf(query) };
}

/** By default the largest and the newest come first. */
function natural(by: Order["by"]): boolean {
  return by !== "name";
}

/**
 * The page of a folder. `names` are those of the root and of the folders on its path, unescaped.
 *
 * @throws the reason of `signal`, if that aborts.
 */
export async function folderPage(
  names: readonly string[],
  { order, filter }: Omit<View, "page">,
  listing: Listing,
  signal: AbortSignal,
): Promise<string> {
  const { entries, page: at, pages } = listing;
  const name = names.at(-1) as string;
  const query = queryOf(order);
  const up = (steps: number) => html(`${"../".repeat(steps)}${query}`);
  const above = names.slice(0, -1).map((name, i) => {
    return `<li><a href="${up(names.length - 1 - i)}"><bdi>${html(name)}</bdi></a></li>`;
  });
  const crumbs = above.length === 0 ? "" : `<nav aria-label="Folders above"><ol>${above.join("")}</ol></nav>\n`;
  const column = (by: Order["by"], label: string, style = "") => {
    const sorted = order.by === by;
    const next = { by, descending: sorted ? !order.descending : natural(by) };
    const aria = sorted ? ` aria-sort="${order.descending ? "descending" : "ascending"}"` : "";
    const arrow = sorted ? `<span aria-hidden="true"> ${order.descending ? "↓" : "↑"}</span>` : "";
    return `<th scope="col"${style}${aria}><a href="./${html(queryOf(next, 1, filter))}">${label}${arrow}</a></th>`;
  };
  const row = ({ name, folder, size, modified }: Entry) => {
    const href = `./${encodeURIComponent(name)}${folder ? `/${query}` : ""}`;
    const exact = `${grouped(size)} ${size === 1 ? "byte" : "bytes"}`;
    const kind = folder ? "d" : kindOf(name);
    const shown = folder ? `${name}/` : name;
    return `<tr><td class="n${kind && ` ${kind}`}">${link(href, shown)}</td><td class="s">${folder ? "" : `<span title="${exact}">${units(size)}</span>`}</td><td class="s">${time(modified)}</td></tr>`;
  };
  const parent =
    above.length === 0
      ? ""
      : `<tr class="up"><td class="n u" colspan="3"><a href="${up(1)}" rel="up">Parent folder</a></td></tr>\n`;
  const leaf = (to: number, label: string) =>
    to < 1 || to > pages ? "" : `<a href="./${html(queryOf(order, to, filter))}">${label}</a>`;
  const leaves = (label: string) =>
    pages === 1
      ? ""
      : `<nav aria-label="${label}"><p class="p">${leaf(at - 1, "Previous page")}<span>Page ${at} of ${pages}</span>${leaf(at + 1, "Next page")}</p></nav>\n`;

  const rows: string[] = [];
  for (const entry of entries) {
    if (due()) await turn(signal);
    rows.push(row(entry));
  }

  return page(
    name,
    `${crumbs}<main>
<h1><bdi>${html(name)}</bdi></h1>
${tools(listing, order, filter)}${leaves("Pages")}<p role="status"></p>
<table>
<caption>${counts(listing, filter, query)}</caption>
<thead><tr>${column("name", "Name")}${column("size", "Size", ' class="s"')}${column("date", "Modified", ' class="s"')}</tr></thead>
<tbody>
${parent}${rows.join("\n")}
</tbody>
</table>
${leaves("Pages, again")}</main>
<script>${SCRIPT}</script>`,
  );
}

/** The form of the filter, which keeps the order, and the download of the folder. */
function tools({ folders, files, pages }: Listing, order: Order, filter: string): string {
  const kept = [...new URLSearchParams(queryOf(order))];
  const hidden = kept.map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`).join("");
  // There is more in the folder than on the page.
  const part = pages > 1 || filter !== "" ? ' data-part="1"' : "";
  const form = `<form action="./" role="search"><input type="search" name="q" value="${html(filter)}" placeholder="Filter" aria-label="Filter names" maxlength="${LONGEST}" autocomplete="off" spellcheck="false"${part}>${hidden}<button aria-label="Search"></button></form>`;
  const save = folders + files >= BOUNDS.members ? "" : `<a href="./?tar" rel="nofollow">Download folder (.tar)</a>`;
  return `<div class="b">${form}${save}</div>
`;
}

/** What there is, or what was found of it. */
function counts({ folders, files, matches, unnamed }: Listing, filter: string, query: string): string {
  if (matches !== null) {
    const found = `${matches === 0 ? "None" : grouped(matches)} of ${plural(folders + files, "name")}`;
    return `${found} ${matches === 1 ? "matches" : "match"} “<bdi>${html(filter)}</bdi>” · <a href="./${html(query)}" data-all>Show all</a>`;
  }
  return [
    folders > 0 ? plural(folders, "folder") : "",
    files > 0 ? plural(files, "file") : "",
    folders + files === 0 ? "This folder is empty" : "",
    unnamed > 0 ? `${plural(unnamed, "name")} that can't be in a URL (not UTF-8) left out` : "",
  ]
    .filter((text) => text !== "")
    .join(", ");
}

/** Names of more characters may be cut on a phone: in the middle, because the ends tell them apart. */
const SHORT = 24;
/** Characters that are never cut off. */
const TAIL = 10;

/** The link of a name. One that may be cut has the whole in its title, and for screen readers, in one piece. */
function link(href: string, name: string): string {
  if (name.length <= SHORT) return `<a href="${html(href)}"><bdi>${html(name)}</bdi></a>`;
  const at = cut(name);
  const parts = `<span>${html(name.slice(0, at))}</span><span>${html(name.slice(at))}</span>`;
  return `<a href="${html(href)}" title="${html(name)}" aria-label="${html(name)}"><bdi>${parts}</bdi></a>`;
}

/** Where the tail of a name begins: not within a character that is made of several. */
function cut(name: string): number {
  const last = name.length - TAIL;
  for (let at = last; at > last - TAIL; at--) if (!isWithin(name, at)) return at;
  return last;
}

/** Half of a pair, a mark, a skin tone, a joiner or what it joins. */
function isWithin(name: string, at: number): boolean {
  return (
    /^[\udc00-\udfff]/.test(name[at] as string) || JOINED.test(name.slice(at, at + 2)) || name[at - 1] === "\u200d"
  );
}

const JOINED = /^(?:\p{M}|\p{Emoji_Modifier}|\u200d)/u;

/** The page of an error. */
export function errorPage(status: number, words: string, why = ""): string {
  return page(
    `${status} ${words}`,
    `<main><h1>${status} ${html(words)}</h1>${why && `<p>${html(why)}.</p>`}<p><a href="/">To the first folder</a></p></main>`,
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
