// The connections of a node:http server, and what each has asked for. One request of each is answered at a time:
// otherwise a few bytes of pipelined requests could open hundreds of files, and read them into memory.

import type { RequestListener } from "node:http";
import type { Socket } from "node:net";

/** A connection with this many waiting requests is ended: nothing else bounds their memory. */
const PIPELINED = 1000;

interface Asked {
  /** The answer under way, and those that wait behind it. */
  readonly answers: (() => void)[];
  /** What has come with it may not have been looked at yet. */
  isNew: boolean;
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
    const asked: Asked = { answers: [], isNew: true };
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
  readonly ask: RequestListener = (req, res) => {
    const answers = this.#all.get(req.socket)?.answers;
    if (answers === undefined) return this.#answer(req, res);
    // The requests of a client that disconnects are dropped with its connection.
    const waiting = answers.push(() => {
      res.once("close", () => {
        answers.shift();
        if (!req.socket.destroyed) answers[0]?.();
      });
      this.#answer(req, res);
    });
    if (waiting === 1) answers[0]?.();
    else if (waiting === PIPELINED) req.socket.destroy();
  };

  /** Ends those without a request under way, also if they have never had one, which Node takes for busy. */
  endIdle(): void {
    for (const [socket, { answers, isNew }] of this.#all) if (answers.length === 0 && !isNew) socket.destroy();
  }

  end(): void {
    for (const socket of this.#all.keys()) socket.destroy();
  }
}
