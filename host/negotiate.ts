// Accept-Encoding (RFC 9110, section 12.5.3): the content codings that a client accepts, best first.

/**
 * The codings of `offered` that the header allows, and "identity", by falling q; equal ones in the order
 * offered, identity last. Without a header, or if it allows nothing, identity alone.
 */
export function negotiate(header: string | string[] | undefined, offered: readonly string[]): string[] {
  if (header === undefined) return ["identity"];
  const q = new Map<string, number>();
  for (const item of String(header).split(",")) {
    const [name = "", ...parameters] = item.split(";").map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => /^q\s*=/.test(parameter))?.replace(/^q\s*=\s*/, "");
    if (name === "") continue;
    // An invalid weight counts as 0.
    const value = weight === undefined ? 1 : /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(weight) ? Number(weight) : 0;
    q.set(name === "x-gzip" ? "gzip" : name, value);
  }
  const rest = q.get("*");
  // Unless it is listed, identity comes after everything that is.
  const known = [...offered.map((name) => [name, q.get(name) ?? rest ?? 0] as const)];
  const all = [...known, ["identity", q.get("identity") ?? (rest === 0 ? 0 : 0.0001)] as const];
  const allowed = all.filter(([, value]) => value > 0).sort(([, a], [, b]) => b - a);
  const names = allowed.map(([name]) => name as string);
  return names.includes("identity") ? names : [...names, "identity"];
}

/** Of ours: those of compressed siblings, the better one first. */
export const CODINGS = ["br", "zstd", "gzip"] as const;

/** Results for the headers that browsers send; then the list is emptied. */
const MOST = 100;
const orders = new Map<string, readonly string[]>();

/** The codings that a client accepts of ours and "identity", best first. */
export function orderOf(header: string | string[] | undefined): readonly string[] {
  const text = String(header ?? "");
  const known = orders.get(text);
  if (known !== undefined) return known;
  const order = negotiate(header, CODINGS);
  if (orders.size >= MOST) orders.clear();
  orders.set(text, order);
  return order;
}
