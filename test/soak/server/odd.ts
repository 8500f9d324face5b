// Requests that are odd in one way or another, and what comes for them. `#` is a number for the access log.

export interface Odd {
  readonly what: string;
  readonly text: string;
  /** Statuses; empty where the connection is ended without an answer. */
  readonly statuses: readonly number[];
  /** Whether it has a line in the access log. */
  readonly isLogged: boolean;
}

const row = (what: string, text: string, statuses: readonly number[], isLogged = true): Odd => {
  return { what, text, statuses, isLogged };
};
const of = (line: string, ...fields: string[]) =>
  [line, "Host: a", ...fields, "Connection: close", "", ""].join("\r\n");

export const ODD: readonly Odd[] = [
  row("POST", `${of("POST /page.bin?n=# HTTP/1.1", "Content-Length: 5")}hello`, [405]),
  row(
    "POST, chunked",
    `${of("POST /page.bin?n=# HTTP/1.1", "Transfer-Encoding: chunked")}5\r\nhello\r\n0\r\n\r\n`,
    [405],
  ),
  row("PUT", of("PUT /page.bin?n=# HTTP/1.1"), [405]),
  row("OPTIONS *", of("OPTIONS * HTTP/1.1"), [405]),
  row("TRACE", of("TRACE /page.bin?n=# HTTP/1.1"), [405]),
  row("CONNECT", of("CONNECT a:80 HTTP/1.1"), [], false),
  row("absolute form", of("GET http://a/page.bin?n=# HTTP/1.1"), [404]),
  row("nothing", of("GET /none?n=# HTTP/1.1"), [404]),
  row("a dotfile", of("GET /.hidden?n=# HTTP/1.1"), [404]),
  row("out of the root", of("GET /../../etc/passwd?n=# HTTP/1.1"), [403]),
  row("out of the root, encoded", of("GET /%2e%2e/%2e%2e/etc/passwd?n=# HTTP/1.1"), [403]),
  row("NUL", of("GET /page.bin%00?n=# HTTP/1.1"), [400]),
  row("a bad escape", of("GET /page%zz?n=# HTTP/1.1"), [400]),
  row("a folder", of("GET /sub?n=# HTTP/1.1"), [301]),
  row("a folder without an index", of("GET /sub/?n=# HTTP/1.1"), [404]),
  row("no range", of("GET /page.bin?n=# HTTP/1.1", "Range: bytes=900000-"), [416]),
  row("Expect", of("GET /page.bin?n=# HTTP/1.1", "Expect: 100-continue"), [200]),
  row("another expectation", of("GET /page.bin HTTP/1.1", "Expect: tea"), [417], false),
  row("Upgrade", of("GET /page.bin?n=# HTTP/1.1", "Upgrade: h2c"), [200]),
  row("two Hosts", of("GET /page.bin?n=# HTTP/1.1", "Host: b"), [200]),
  row("no Host", "GET /page.bin HTTP/1.1\r\n\r\n", [400], false),
  row("no request", "hello\r\n\r\n", [400], false),
  row("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400], false),
  row("NULs", "\0".repeat(3000), [400], false),
  row("two lengths", of("POST / HTTP/1.1", "Content-Length: 1", "Content-Length: 2"), [400], false),
  row("length and chunks", of("POST / HTTP/1.1", "Content-Length: 1", "Transfer-Encoding: chunked"), [400], false),
  row("a blank before the colon", of("GET / HTTP/1.1", "A : b"), [400], false),
  row("a big head", of("GET / HTTP/1.1", `A: ${"x".repeat(70_000)}`), [431], false),
  row("a big target", of(`GET /${"x".repeat(70_000)} HTTP/1.1`), [431], false),
  row("many fields", of("GET / HTTP/1.1", ...Array.from({ length: 4000 }, (_, i) => `A${i}: b`)), [431], false),
  row("a large head", of("GET /page.bin?n=# HTTP/1.1", `A: ${"x".repeat(10_000)}`), [200]),
];
