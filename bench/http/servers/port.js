// A port for a server that knows no port 0.

import { createServer } from "node:net";

/** One that is free now. @returns {Promise<number>} */
export function freePort() {
  const server = createServer();
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    }),
  );
}
