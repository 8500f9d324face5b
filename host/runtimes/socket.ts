// A socket of node:net for an fd that is open: as Node and Deno make one.

import { Socket } from "node:net";

/** A client may half-close behind its request. */
export const socketOf = (fd: number): Socket => new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
