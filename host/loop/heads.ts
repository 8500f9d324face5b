// The head of an answer, as text that is ready to be sent: what the server behind the loop has said for this file, with
// the time of now.

/** Of one status of one file. */
export class Head {
  readonly #before: string;
  readonly #behind: string;
  #second = Number.NaN;
  #text = "";

  /** @throws Error if `text` is no head with a date. */
  constructor(text: string) {
    const at = text.indexOf("\r\nDate: ");
    if (at < 0) throw new Error("a head without a date");
    this.#before = text.slice(0, at + 8);
    this.#behind = text.slice(text.indexOf("\r\n", at + 8));
  }

  /** The whole text, at a time in seconds since 1970. */
  at(second: number): string {
    if (this.#second !== second) {
      this.#second = second;
      this.#text = `${this.#before}${dateAt(second)}${this.#behind}`;
    }
    return this.#text;
  }
}

/** The same head for a connection that ends behind the answer, as Node writes it. */
export function lastHead(text: string): string {
  return text.replace(/\r\nConnection: keep-alive\r\n(?:Keep-Alive: [^\r]*\r\n)?/, "\r\nConnection: close\r\n");
}

/** The head of 206 for `bytes=0-0`, for any other range. */
export function partHead(text: string, first: number, last: number, size: number): string {
  return text
    .replace(`\r\nContent-Range: bytes 0-0/${size}\r\n`, `\r\nContent-Range: bytes ${first}-${last}/${size}\r\n`)
    .replace(/\r\nContent-Length: 1\r\n/, `\r\nContent-Length: ${last - first + 1}\r\n`);
}

/** The value of a field, whose name may be written otherwise; null if it is missing. */
export function fieldOf(head: string, name: string): string | null {
  const at = head.toLowerCase().indexOf(`\r\n${name.toLowerCase()}: `);
  return at < 0 ? null : head.slice(at + name.length + 4, head.indexOf("\r\n", at + 2));
}

let known = Number.NaN;
let date = "";

function dateAt(second: number): string {
  if (known !== second) {
    known = second;
    date = new Date(second * 1000).toUTCString();
  }
  return date;
}
