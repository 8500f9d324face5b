// The bare sockets of the soak: a line of JSON says what is wanted; a line says which version it is, and the bytes follow.

import { once } from "node:events";
import { open } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { drainOnExit, sendfile } from "sendoff";

const server = createServer(async (socket) => {
  socket.on("error", () => {});
  const [line] = (await once(socket, "data").catch(() => [null])) as [Buffer | null];
  if (line === null) return socket.destroy();
  const { file, offset, count, mode } = JSON.parse(line.toString());
  const handle = await open(file);
  try {
    const { mtimeMs } = await handle.stat();
    const header = Buffer.from(`${mtimeMs}\n`);
    await sendfile(socket, handle, { offset, count, mode, header, timeout: 60_000 });
    socket.end();
  } catch {
    socket.destroy(); // the client went away, or gets too little and sees it
  } finally {
    await handle.close();
  }
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
drainOnExit({ servers: [server] });
process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
