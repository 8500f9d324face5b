// A Deno sender: one client, by sendoff or by Deno's own best way; measures its own process until the client
// has hung up, that is, has received everything.
//
//   deno run -A deno.js '{"file":PATH,"way":"sendoff"|"pipeTo"}'

import { capabilities, sendfile } from "sendoff";

const { file, way } = JSON.parse(Deno.args[0]);
if (way === "sendoff") capabilities(); // loads libc before the clock starts

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(JSON.stringify({ port: listener.addr.port }));
const conn = await listener.accept();
listener.close();
await new Promise((resolve) => setTimeout(resolve, 50));

const start = performance.now();
const before = process.cpuUsage();
if (way === "sendoff") {
  await sendfile(conn, file);
  await conn.closeWrite();
} else {
  const { readable } = await Deno.open(file);
  await readable.pipeTo(conn.writable, { preventClose: true });
  await conn.closeWrite();
}
while ((await conn.read(new Uint8Array(1)).catch(() => null)) !== null) {}
const { user, system } = process.cpuUsage(before);
const wall = (performance.now() - start) / 1e3;
console.log(JSON.stringify({ wall, user: user / 1e6, system: system / 1e6, rss: Deno.memoryUsage().rss }));
Deno.exit();
