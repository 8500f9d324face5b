// Clients on slow lines: each asks for one long file and reads 50 KB/s of it, until stdin ends.
//
//   slow.js URL CLIENTS
//
// Prints {"connected"} once every one of them has got its first bytes; then, for each line on stdin,
// {"bytes"}: what all of them have read so far.

import { connect } from "node:net";
import { createInterface } from "node:readline";

const BYTES_PER_SECOND = 50_000;
const [url, count] = process.argv.slice(2);
const { hostname, port, pathname } = new URL(url);
const clients = Number(count);
// What comes is thrown away, so that all can read into the same place.
const buffer = Buffer.alloc(16 * 1024);
let connected = 0;
let bytes = 0;

for (let i = 0; i < clients; i++) {
  let first = true;
  const socket = connect({
    port: Number(port),
    host: hostname,
    onread: {
      buffer,
      callback(read) {
        bytes += read;
        if (first) {
          first = false;
          if (!buffer.toString("latin1", 0, 15).startsWith("HTTP/1.1 200 OK")) throw new Error("not 200");
          if (++connected === clients) console.log(JSON.stringify({ connected }));
        }
        // The kernel's buffer fills up, and the window closes, while nobody reads.
        setTimeout(() => socket.resume(), (read / BYTES_PER_SECOND) * 1000);
        return false;
      },
    },
  });
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
  socket.on("close", () => {
    throw new Error("a slow client was cut off");
  });
}

createInterface({ input: process.stdin })
  .on("line", () => console.log(JSON.stringify({ bytes })))
  .on("close", () => process.exit());
