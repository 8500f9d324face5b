// The connections of a node:http server, and what each has asked for. One request of each is answered at a time:
// otherwise a few bytes of pipelined requests could open hundreds of files, and read them into memory.

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { warn } from "../close.js";
import { statusInstead } from "./client-error.js";

/** A connection with this many waiting requests is ended: nothing else bounds their memory. */
const PIPELINED = 1000;

/** In ms. */
interface Limits {
  /** Of a head, from when it is seen to have begun; of the first one from the beginning. */
  readonly headersTimeout: number;
  /** Between two requests. */
  readonly keepAliveTimeout: number;
}

interface Answer {
  /** null: of no response. */
  readonly res: ServerResponse | null;
  begin(): void;
}

interface Asked {
  /** The answer under way, and those that wait behind it: of a connection that closes they go with it, untold. */
  readonly answers: Answer[];
  /** What has come with it may not have been looked at yet. */
  isNew: boolean;
  /** What was read of it when the last answer was over; -1 before the first request. */
  read: number;
  /** When it began to wait, or its next head to come, in ms; NaN: not since the last look. */
  since: number;
  /** When it was accepted, or its last answer was over, in ms. */
  over: number;
  /** Bytes have come with it. */
  readonly isBegun: boolean;
}

export class Connections {
  readonly #answer: RequestListener;
  readonly #counted: (count: number) => void;
  readonly #all = new Map<Socket, Asked>();
  /** Those that are of requests and answers no more. */
  readonly #kept = new Set<Socket>();
  #farewell: ((socket: Socket) => void) | null = null;
  /** Connections so far. */
  followed = 0;
  /** Answers that are over, by the first digit of their status. */
  readonly statuses = [0, 0, 0, 0, 0, 0];

  /** `counted` is told how many there are. */
  constructor(answer: RequestListener, counted: (count: number) => void = () => {}) {
    this.#answer = answer;
    this.#counted = counted;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Before its first request. */
  follow(socket: Socket): void {
    const isBegun = socket.readableLength > 0;
    const over = performance.now();
    const asked: Asked = { answers: [], isNew: true, read: -1, since: Number.NaN, over, isBegun };
    this.followed++;
    setImmediate(() => {
      asked.isNew = false;
    });
    this.#counted(this.#all.set(socket, asked).size);
    socket.once("close", () => {
      this.#all.delete(socket);
      this.#kept.delete(socket);
      this.#counted(this.#all.size);
    });
  }

  /** Answers a request once those before it are over; at once if its connection isn't followed. */
  readonly ask: RequestListener = (req, res) => this.#add(req, res, () => this.#answer(req, res));

  /** The same, without waiting. */
  readonly askNow: RequestListener = (req, res) => {
    this.count(req, res);
    this.#answer(req, res);
  };

  /** Counts an answer that somebody else gives. */
  count(req: IncomingMessage, res: ServerResponse): void {
    this.#add(req, res, null);
  }

  /** The connection is no longer of requests and answers: it is idle no more, until it ends. */
  keep(socket: Socket): void {
    const asked = this.#all.get(socket);
    if (asked === undefined) return;
    asked.answers.push({ res: null, begin() {} });
    this.#kept.add(socket);
    this.#leave(socket);
  }

  /** Has answers that are not begun end their connections: as `endBehind`. */
  drain(byField = false): void {
    for (const { answers } of this.#all.values()) {
      for (const { res } of answers) if (res?.headersSent === false) endBehind(res, byField);
    }
  }

  /** Calls `farewell` for each connection that is kept, also for those to come. */
  bid(farewell: (socket: Socket) => void): void {
    this.#farewell = farewell;
    for (const socket of this.#kept) this.#leave(socket);
  }

  #leave(socket: Socket): void {
    try {
      this.#farewell?.(socket);
    } catch (error) {
      warn(error);
    }
  }

  #add(req: IncomingMessage, res: ServerResponse, answer: (() => void) | null): void {
    const asked = this.#all.get(req.socket);
    if (asked === undefined) return answer?.();
    const { answers } = asked;
    // The requests of a client that disconnects are dropped with its connection.
    const waiting = answers.push({ res, begin: answer ?? (() => {}) });
    res.once("close", () => {
      answers.shift();
      const digit = Math.trunc((statusInstead(res) ?? res.statusCode) / 100);
      if (digit in this.statuses) this.statuses[digit] = (this.statuses[digit] as number) + 1;
      asked.over = performance.now();
      asked.since = Number.NaN;
      asked.read = req.socket.bytesRead;
      if (req.socket.writable) answers[0]?.begin(); // else nothing is answered behind it
    });
    if (waiting === 1) answers[0]?.begin();
    else if (waiting >= PIPELINED && answer !== null) req.socket.destroy();
  }

  /**
   * Ends those without a request under way, also if they have never had one, which Node takes for busy: once they have been so
   * for `idle` ms.
   */
  endIdle(idle = 0): void {
    const since = performance.now() - idle;
    for (const [socket, asked] of this.#all) {
      const { answers, isNew, over } = asked;
      if (answers.length === 0 && !isNew && over <= since && !isUnderWay(socket, asked)) socket.destroy();
    }
  }

  /** Ends those whose time is up at `now`: for a server that has no limits for connections that it has not accepted itself. */
  expire(now: number, { headersTimeout, keepAliveTimeout }: Limits): void {
    for (const [socket, asked] of this.#all) {
      if (asked.answers.length > 0) continue;
      const isIdle = asked.read === socket.bytesRead;
      if (!isIdle && asked.read >= 0) {
        asked.read = -1; // a head has begun
        asked.since = now;
      }
      if (Number.isNaN(asked.since)) asked.since = now;
      if (now - asked.since > (isIdle ? keepAliveTimeout : headersTimeout)) socket.destroy();
    }
  }

  end(): void {
    for (const socket of this.#all.keys()) socket.destroy();
  }
}

/**
 * Has a response end its connection, and say so. The property is undocumented: errors of `send`, Express and Koa take all
 * fields away, so that one of them would not last.
 *
 * @param byField for a server that does not know it.
 */
export function endBehind(res: ServerResponse, byField = false): void {
  res.shouldKeepAlive = false;
  if (!byField) return;
  res.setHeader("Connection", "close");
  const { removeHeader } = res;
  res.removeHeader = (name) => {
    if (name.toLowerCase() !== "connection") removeHeader.call(res, name);
  };
}

/** Whether a part of a head has come. */
function isUnderWay(socket: Socket, { read, isBegun }: Asked): boolean {
  return read < 0 ? isBegun || socket.bytesRead > 0 : socket.bytesRead !== read;
}
