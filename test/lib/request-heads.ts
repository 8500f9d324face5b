// Request heads by chance: those of browsers, tools and attackers, with lines changed for others, and then mistakes in their bytes.

type Below = (below: number) => number;

/** As they came, but for names; heads of this kind are recognized. */
const REAL = [
  // wrk, curl, curl -r, wget
  "GET /index.html HTTP/1.1|Host: 127.0.0.1:8080",
  "GET /a.bin HTTP/1.1|Host: localhost:8080|User-Agent: curl/7.88.1|Accept: */*",
  "GET /a.bin HTTP/1.1|Host: localhost:8080|Range: bytes=100-199|User-Agent: curl/7.88.1|Accept: */*",
  "HEAD /a%20b/c.tar.gz HTTP/1.1|Host: example.org|User-Agent: curl/8.5.0|Accept: */*|Connection: close",
  "GET /a.bin HTTP/1.1|Host: localhost|User-Agent: Wget/1.21.3|Accept: */*|Accept-Encoding: identity|Connection: Keep-Alive",
  // Chrome: a page, a picture, a revalidation, a film
  'GET /docs/?page=2&q=a%2Bb HTTP/1.1|Host: localhost:8080|Connection: keep-alive|sec-ch-ua: "Chromium";v="124", "Not-A.Brand";v="99"|sec-ch-ua-mobile: ?0|sec-ch-ua-platform: "Linux"|Upgrade-Insecure-Requests: 1|User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36|Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8|Sec-Fetch-Site: none|Sec-Fetch-Mode: navigate|Sec-Fetch-User: ?1|Sec-Fetch-Dest: document|Accept-Encoding: gzip, deflate, br, zstd|Accept-Language: en-US,en;q=0.9',
  'GET /img/logo@2x.png HTTP/1.1|Host: www.example.org|Connection: keep-alive|User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36|Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8|Referer: https://www.example.org/docs/|Accept-Encoding: gzip, deflate, br, zstd|Accept-Language: de-DE,de;q=0.9|Cookie: id=0123456789abcdef; theme="dark"|If-None-Match: W/"3e8-18f2c0a5b40"|If-Modified-Since: Mon, 29 Apr 2024 10:00:00 GMT',
  "GET /film.mp4 HTTP/1.1|Host: localhost:8080|Connection: keep-alive|User-Agent: Mozilla/5.0 Chrome/124.0.0.0|Accept-Encoding: identity;q=1, *;q=0|Accept: */*|Sec-Fetch-Dest: video|Range: bytes=0-",
  // Firefox
  "GET /style.css HTTP/1.1|Host: localhost:8080|User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0|Accept: text/css,*/*;q=0.1|Accept-Language: en-US,en;q=0.5|Accept-Encoding: gzip, deflate, br|Connection: keep-alive|Referer: http://localhost:8080/|Sec-Fetch-Dest: style|Sec-Fetch-Mode: no-cors|Sec-Fetch-Site: same-origin|Priority: u=2",
  "GET /a.woff2 HTTP/1.1|Host: localhost:8080|User-Agent: Mozilla/5.0 Firefox/125.0|Accept: application/font-woff2;q=1.0|Connection: keep-alive|Cache-Control: no-cache|Pragma: no-cache|DNT: 1",
];

/** Request smuggling and other forms of S1 to S12, for llhttp. */
const ATTACKS = [
  "GET / HTTP/1.1|Host: a|Content-Length: 5|Transfer-Encoding: chunked",
  "GET / HTTP/1.1|Host: a|Content-Length: 5|Content-Length: 6",
  "GET / HTTP/1.1|Host: a|Content-Length: +3",
  "GET / HTTP/1.1|Host: a|Transfer-Encoding: xchunked",
  "GET / HTTP/1.1|Host: a|Transfer-Encoding : chunked",
  "GET / HTTP/1.1|Host: a|Transfer-Encoding:\x0bchunked",
  "GET / HTTP/1.1|Host: a|Foo: bar\nTransfer-Encoding: chunked",
  "GET / HTTP/1.1|Host: a|Foo: bar\rTransfer-Encoding: chunked",
  "GET / HTTP/1.1|Host: a|Foo: bar| Content-Length: 5",
  "GET / HTTP/1.1|Host: a|Content-Length: 5\0",
  "GET / HTTP/1.1|Host: a|Content-Length",
  "GET / HTTP/1.1|Host: a|Host: b",
  "GET http://a/ HTTP/1.1|Host: b",
  "GET //a/b HTTP/1.1|Host: a",
  "GET /../../etc/passwd HTTP/1.1|Host: a",
  "GET /%2e%2e/%252e%252e/%5c HTTP/1.1|Host: a",
  "GET / HTTP/1.0|Host: a|Connection: keep-alive",
  "GET / HTTP/1.1|Host: a|Connection: close, keep-alive",
  "GET / HTTP/1.1|Host: a|Connection: Upgrade, HTTP2-Settings|Upgrade: h2c|HTTP2-Settings: AAMAAABk",
  "GET / HTTP/1.1|Host: a|Expect: 100-continue",
  "POST / HTTP/1.1|Host: a|Content-Length: 0",
  "PRI * HTTP/2.0||SM",
].map((text) => text.split("|"));

const SEEDS = REAL.map((text) => text.split("|"));

const STARTS = [
  ...["GET / HTTP/1.1", "HEAD / HTTP/1.1", "GET /a?b HTTP/1.1", "GET /? HTTP/1.1", "GET /%41%ff HTTP/1.1"],
  ...["GET /;a=b,c HTTP/1.1", "HEAD /..;/ HTTP/1.1", "GET /a//b HTTP/1.1", "GET /~a/(b)/'c'!$&*+ HTTP/1.1"],
];

/** Fields that mean something, plain and nearly so. */
const FIELDS = [
  ...[
    "Connection: close",
    "Connection: keep-alive",
    "connection:CLOSE",
    "Connection:  Keep-Alive ",
    "Connection: close\t",
  ],
  ...["Connection:\tclose", "Connection: close,", "Connection: keep-alive, close", "Keep-Alive: timeout=5"],
  ...["Range: bytes=0-0", "Range: bytes=5-", "Range: bytes=-5", "Range: bytes=0-999999999999999", "Range: bytes=9-1"],
  ...["Range: bytes=0-1,2-3", "Range: bytes=0-9007199254740993", "range:bytes=1-2\t", "Range: BYTES=1-2"],
  ...['If-None-Match: "a"', 'If-None-Match: W/"a", "b" ', "If-None-Match: *", "If-None-Match:", 'if-match: "a"'],
  ...["If-Modified-Since: Mon, 29 Apr 2024 10:00:00 GMT", "If-Unmodified-Since: x", 'If-Range: "a"'],
  ...[
    "Accept-Encoding: br",
    "ACCEPT-ENCODING: \tgzip;q=0 \t",
    "Accept-Encoding:",
    "Cache-Control: max-age=0",
    "Pragma: no-cache",
  ],
  ...["Host: b", "Host: [::1]:8080", "Host:", "Hos: a", "Hostt: a", "TE: trailers", "Trailer: a", "Upgrade: websocket"],
  ...[
    "Content-Length: 0",
    "Transfer-Encoding: identity",
    "Proxy-Connection: close",
    "Expect: a",
    "X: ",
    "X:\t\t",
    "X: \x80",
  ],
];

/** Bytes at which parsers differ. */
const BYTES = [...'\0\t\n\v\r !"#%,-./09:;=?@AZ[\\]^_`az{|}~\x7f\x80\xa0\xff'];

/** The next head. latin1; it ends as a head does, but for a mistake there. */
export function heads(below: Below): () => string {
  const pick = <T>(values: readonly T[]) => values[below(values.length)] as T;
  const chance = (one: number) => below(one) === 0;

  /** Lines for lines: the result is right wherever each line is. */
  const vary = (lines: string[]) => {
    const at = 1 + below(lines.length);
    const kind = below(6);
    if (kind === 0) lines[0] = pick(STARTS);
    else if (kind === 1) lines.splice(at, 0, pick(FIELDS));
    else if (kind === 2) lines.splice(at, 0, pick(pick(SEEDS).slice(1)));
    else if (kind === 3) lines.splice(at, 1);
    else if (kind === 4 && at < lines.length) lines[at] = changeCase(lines[at] as string);
    else if (kind === 5 && at < lines.length) lines.splice(1 + below(lines.length), 0, ...lines.splice(at, 1));
  };
  const changeCase = (line: string) => {
    const colon = line.indexOf(":") + 1;
    return (chance(2) ? line.slice(0, colon).toUpperCase() : line.slice(0, colon).toLowerCase()) + line.slice(colon);
  };

  const spoil = (head: string): string => {
    const at = below(head.length);
    const [before, after] = [head.slice(0, at), head.slice(at)];
    switch (below(6)) {
      case 0:
        return before + String.fromCharCode(head.charCodeAt(at) ^ (1 << below(8))) + after.slice(1);
      case 1:
        return before + pick(BYTES) + after;
      case 2:
        return before + after.slice(1 + (chance(2) ? 0 : below(8)));
      case 3:
        return before + after.slice(0, 1 + below(8)) + after;
      case 4: {
        const other = pick(chance(3) ? ATTACKS : SEEDS).join("\r\n");
        return before + other.slice(below(other.length)) + (chance(2) ? "\r\n\r\n" : after);
      }
      default:
        return before + pick(BYTES) + after.slice(1);
    }
  };

  return () => {
    const lines = [...pick(chance(8) ? ATTACKS : SEEDS)];
    for (let n = below(4); n > 0; n--) vary(lines);
    if (chance(50)) for (let n = below(120); n > 0; n--) lines.push(`X-${n}: ${n}`);
    let head = `${lines.join("\r\n")}\r\n\r\n`;
    if (chance(2)) for (let n = 1 + below(3); n > 0; n--) head = spoil(head);
    return head.slice(0, 8000);
  };
}
