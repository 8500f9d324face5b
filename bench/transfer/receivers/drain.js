// The receiver where there is no C compiler: the same as drain.c, and slower, because it copies.

import { connect } from "node:net";

const [port, clients, what, size] = process.argv.slice(2);
const ack = what === "ack" ? Number(size) : 0;
let bytes = 0;
let owed = 0;
let open = Number(clients);
setTimeout(() => process.exit(1), 600_000).unref();

for (let i = 0; i < Number(clients); i++) {
  const buffer = Buffer.allocUnsafeSlow(what === "stall" ? 1 : 1 << 20);
  const callback = (/** @type {number} */ n) => {
    bytes += n;
    if (ack > 0) for (owed += n; owed >= ack; owed -= ack) socket.write("a");
    return what !== "stall";
  };
  const socket = connect({ port: Number(port), host: "127.0.0.1", onread: { buffer, callback } });
  socket.setNoDelay(true);
  if (what === "stall") socket.pause();
  socket.on("close", () => {
    if (--open === 0 && what !== "stall") console.log(JSON.stringify({ bytes }));
  });
}
if (what === "stall") process.stdin.on("end", () => process.exit(0)).resume();
