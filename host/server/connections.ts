// The connections of a node:http server, and what each has asked for. One request of each is answered at a time:
// otherwise a few bytes of pipelined requests could open hundreds of files, and read them into memory.

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** A connection with this many waiting requests is ended: nothing else bounds their memory. */
const PIPELINED = 1000;

/** In ms. */
interface Limits {
  /** Of a head, from when it is seen to have begun; of the first one from the beginning. */
  readonly headersTimeout: number;
  /** Between two requests. */
  readonly keepAliveTimeout: number;
}

interface Asked {
  /** The answer under way, and those that wait behind it. */
  readonly answers: (() => void)[];
  /** What has come with it may not have been looked at yet. */
  isNew: boolean;
  /** What was read of it when the last answer was over; -1 before the first request. */
  read: number;
  /** When it began to wait, or its next head to come, in ms; NaN: not since the last look. */
  since: number;
}

export class Connections {
  readonly #answer: RequestListener;
  readonly #counted: (count: number) => void;
  readonly #all = new Map<Socket, Asked>();

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
    const asked: Asked = { answers: [], isNew: true, read: -1, since: Number.NaN };
    setImmediate(() => {
      asked.isNew = false;
    });
    this.#counted(this.#all.set(socket, asked).size);
    socket.once("close", () => {
      this.#all.delete(socket);
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
    this.#all.get(socket)?.answers.push(() => {});
  }

  #add(req: IncomingMessage, res: ServerResponse, answer: (() => void) | null): void {
    const asked = this.#all.get(req.socket);
    if (asked === undefined) return answer?.();
    const { answers } = asked;
    // The requests of a client that disconnects are dropped with its connection.
    const waiting = answers.push(answer ?? (() => {}));
    res.once("close", () => {
      answers.shift();
      asked.since = Number.NaN;
      asked.read = req.socket.bytesRead;
      if (!req.socket.destroyed) answers[0]?.();
    });
    if (waiting === 1) answers[0]?.();
    else if (waiting >= PIPELINED && answer !== null) req.socket.destroy();
  }

  /** Ends those without a request under way, also if they have never had one, which Node takes for busy. */
  endIdle(): void {
    for (const [socket, { answers, isNew }] of this.#all) if (answers.length === 0 && !isNew) socket.destroy();
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
