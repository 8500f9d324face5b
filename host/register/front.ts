// Puts files in front of each http.Server that the program has listen: patches listen() of http.Server's prototype.

import { Server } from "node:http";
import { Server as HttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { serverRuntime } from "#process";
import { warn } from "../close.js";
import { apply, hasOwn } from "../originals.js";
import { isHad } from "../server/front.js";
import { fdOfServer } from "../server/listener.js";
import type { Mount } from "../server/mount.js";
import { FileServer } from "../server/server.js";
import type { Shared } from "../shared.js";

type Listen = (this: Server, ...args: unknown[]) => Server;

/** `say` is told what was done with each server. Those that listen on none of `ports` are left alone. Returns an undo. */
export function frontAll(
  shared: Shared,
  mounts: readonly Mount[],
  ports: readonly number[] | null,
  say: (what: string) => void,
): () => void {
  /** Whose socket others may have, too. */
  const inherited = new WeakSet<Server>();

  /** Limits are read now, since programs set them behind listen(). No connection has been accepted so far. */
  const front = function (this: Server): void {
    if (!this.listening || isHad(this)) return; // closed again, or a server of this package
    const address = this.address();
    const where = nameOf(address);
    const port = (address as AddressInfo | null)?.port;
    if (ports !== null && (port === undefined || !ports.includes(port))) {
      return say(`an http.Server was left alone: ${where} is not in SENDOFF_FILES_PORT`);
    }
    const obstacle = fdOfServer(this, shared.fdOf) < 0 ? "an http.Server does not tell its socket here" : null;
    let server: FileServer;
    try {
      server = new FileServer(shared, serverRuntime, mounts, { app: this }, { obstacle, follows: true });
    } catch (error) {
      return warn(error); // such as a limit that only node:http takes for one
    }
    server.follow(inherited.has(this));
    const who = server.reason === null ? "a loop" : `its own thread: ${server.reason}`;
    say(`files come before the http.Server of ${where}, by ${who}`);
  };

  const make = (original: Listen): Listen =>
    function listen(this: Server, ...args) {
      apply(original, this, args);
      if (this instanceof HttpsServer) {
        say("an https.Server was left alone: a TLS connection can't be handed over to it");
      } else if (!isHad(this)) {
        if (isInherited(args[0])) inherited.add(this);
        else inherited.delete(this);
        this.off("listening", front); // of a try that has failed
        // Bun's has no handle, and accepts at once.
        if (this.listening && !("_handle" in this)) front.call(this);
        else this.once("listening", front);
      }
      return this;
    };
  const undo = [patched(Server.prototype, make)];
  // Under Bun it is an http.Server.
  if (!(HttpsServer.prototype instanceof Server)) undo.push(patched(HttpsServer.prototype, make));
  return () => {
    for (const one of undo) one();
  };
}

function patched(prototype: { listen: unknown }, make: (original: Listen) => Listen): () => void {
  const isOwn = hasOwn(prototype, "listen");
  const original = prototype.listen as Listen;
  const listen = make(original);
  prototype.listen = listen;
  return () => {
    if (prototype.listen !== listen) return;
    if (isOwn) prototype.listen = original;
    else Reflect.deleteProperty(prototype, "listen");
  };
}

/** What listen() was given is an fd, or something that listens already. */
function isInherited(options: unknown): boolean {
  if (typeof options !== "object" || options === null) return false;
  return ["fd", "handle", "_handle"].some((name) => (options as Record<string, unknown>)[name] != null);
}

function nameOf(address: AddressInfo | string | null): string {
  if (typeof address === "string") return address;
  if (address === null) return "a Unix socket"; // Bun tells its name later
  const { family, address: ip, port } = address;
  return family === "IPv6" ? `[${ip}]:${port}` : `${ip}:${port}`;
}
