// Starts the embedded receiver: a child process, and one loopback connection with it.

import { fork } from "node:child_process";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { atEnd } from "../cleanup.js";
import type { Order, Report } from "./receiver.js";

export interface Loopback {
  readonly socket: Socket;
  /** The receiver's result, once the connection is closed. */
  readonly received: Promise<{ bytes: number; digest: string | null }>;
  /** Kills the child, if it still runs. */
  close(): void;
}

/** Starts the child, which keeps up to `backlog` bytes in memory until it hashes them; null: it hashes nothing. */
export async function loopback(backlog: number | null): Promise<Loopback> {
  const child = fork(new URL("./receiver.js", import.meta.url), [], {
    execArgv: [],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const close = atEnd(() => child.kill("SIGKILL"));
  // The parent listens and the child connects, because only a client's socket reads into memory of its own.
  const server = createServer({ allowHalfOpen: true });

  const gone = new Promise<never>((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      reject(new Error(`the receiver process died (${signal ?? `status ${code}`})`)),
    );
    child.on("message", (message: Report) => {
      if ("error" in message) reject(new Error(`the receiver process failed: ${message.error}`));
    });
  });
  const localPort = new Promise<number>((resolve) => {
    child.on("message", (message: Report) => "localPort" in message && resolve(message.localPort));
  });
  const received = new Promise<{ bytes: number; digest: string | null }>((resolve) => {
    child.on("message", (message: Report) => {
      if (!("digest" in message)) return;
      resolve(message);
      // By us, because under Deno a child that disconnects loses what it said last.
      if (child.connected) child.disconnect();
    });
  });
  const connected = new Promise<Socket>((resolve, reject) => {
    server.once("error", reject);
    // Any process of this machine can connect: only the child gets the file.
    server.on("connection", async (socket) => {
      socket.on("error", () => {});
      if (socket.remotePort === (await localPort)) resolve(socket);
      else socket.destroy();
    });
  });

  server.listen(0, "127.0.0.1", () => {
    const order: Order = { port: (server.address() as AddressInfo).port, backlog };
    child.send(order);
  });
  const outcome = Promise.race([received, gone]);
  outcome.catch(() => {}); // unused if the transfer itself has failed
  try {
    return { socket: await Promise.race([connected, gone]), received: outcome, close };
  } catch (error) {
    close();
    throw error;
  } finally {
    server.close();
  }
}
