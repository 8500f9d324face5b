// A folder over plain node:http: node http.js [FOLDER] [PORT]

import { createServer } from "node:http";
import { drainOnExit } from "sendoff";
import { serveStatic } from "sendoff/http";

const [folder = ".", port = process.env.PORT ?? 8080] = process.argv.slice(2);

// Ranges, ETag and 304, dotfiles and "..": serveStatic's work. file.br or file.gz beside a file is sent where it may.
const files = serveStatic(folder, { precompressed: true });

const server = createServer((req, res) => {
  // Without this function serveStatic would answer by itself.
  files(req, res, (error) => {
    const status = error ? (error.status ?? 500) : 404;
    if (status >= 500) console.error(error);
    if (res.headersSent) return res.destroy(); // too late for another answer
    res.writeHead(status, { "Content-Type": "text/plain" }).end(`${status}: ${req.url}\n`);
  });
});

server.listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));

// SIGTERM and Ctrl-C: no new connections; downloads that run get five seconds.
drainOnExit({ servers: [server] });
