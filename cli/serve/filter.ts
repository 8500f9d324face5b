// Which names a filter finds: those that have its text in them, whatever the case and the accents.

/** The most characters of a filter; the rest is ignored. */
export const LONGEST = 100;

/** Both sides are compared so. Its text is in the page's script, too: it uses nothing from outside. */
export function fold(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

/** The filter of a query. */
export function filterOf(query: URLSearchParams): string {
  return (query.get("q") ?? "").slice(0, LONGEST);
}
