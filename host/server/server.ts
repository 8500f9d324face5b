// createFileServer(): a folder served by loops, with a node:http server behind them; or by that server alone.

import { EventEmitter } from "node:events";
import { unlinkSync } from "node:fs";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, ListenOptions } from "node:net";
import type { Worker } from "node:worker_threads";
import { SendfileError } from "../errors.js";
import { type StaticFiles, staticFiles } from "../http/static.js";
import { type LoopLibc, openEvent, shutListener } from "../libc/epoll.js";
import type { FromLoop } from "../loop/messages.js";
import type { Shared } from "../shared.js";
import { milliseconds, object } from "../validate.js";
import { adopt } from "./adopt.js";
import { type App, byFiles, pageFor, passTo } from "./app.js";
import { ask, filesFor } from "./ask.js";
import { createBehind, isUnsound, limit } from "./behind.js";
import { Connections } from "./connections.js";
import { have, putBefore, serverOf } from "./front.js";
import { Journals, type LogOptions } from "./journals.js";
import { onLeaving } from "./leaving.js";
import { duplicateOf, type Listening, letGo, listen } from "./listener.js";
import { asWhole, listens, listensAlready } from "./listens.js";
import { type Mount, mountedAll } from "./mount.js";
import { obstacle } from "./obstacle.js";
import { endless, type FileServerOptions, type Settings, settingsOf } from "./options.js";
import { Reader } from "./reader.js";
import type { ServerRuntime } from "./runtime.js";
import { type ServerStats, statsOf } from "./stats.js";
import { Thread } from "./thread.js";

/** fds that a loop may have: a byte each. */
const FDS = 1 << 20;
/** Bytes of a Unix socket's path: one more than that, and libuv before 1.46 has cut it. */
const PATH_MOST = 107;
/** Files that a loop keeps open. */
const OPEN_FILES = 2048;

/** What only this package has. */
export interface Inside {
  /** Why no loop can serve, beside what is asked here. */
  readonly obstacle?: string | null;
  /** Its app listens already: {@link FileServer.follow}. */
  readonly follows?: boolean;
  readonly app?: App;
  /** The access log of the loops; the app has that of its own answers. */
  readonly log?: LogOptions | null;
}

export class FileServer extends EventEmitter {
  readonly #shared: Shared;
  readonly #settings: Settings;
  readonly #files: StaticFiles;
  /** Whose answers are the loops'. */
  readonly #asked: Server;
  /** Answers all else: the same, or that of the app. */
  readonly #http: Server;
  readonly #runtime: ServerRuntime;
  /** Why no loop serves; null if one does. */
  readonly reason: string | null;
  readonly #fds: Uint8Array;
  /** Those of the server behind. */
  readonly #behind: Connections;
  readonly #journals: Journals | null;
  /** As {@link Start} has it. */
  readonly #connections: Int32Array;
  #threads: Thread[] = [];
  #reader: Reader | null = null;
  #wakes: number[] = [];
  #listening: Listening | null = null;
  #state: "new" | "listening" | "closing" | "closed" = "new";
  #isRef = true;
  #opening: Promise<void> | null = null;
  #closed: Promise<void> | null = null;
  /** When `close()` cuts what is still on its way, in ms of performance.now(). */
  #cut = Number.POSITIVE_INFINITY;
  #stay: () => void = () => {};
  #unlimit: () => void = () => {};
  #unpose: () => void = () => {};
  #unfront: () => void = () => {};

  constructor(
    shared: Shared,
    runtime: ServerRuntime,
    root: string | readonly Mount[],
    options: FileServerOptions = {},
    inside: Inside = {},
  ) {
    super();
    object("options", options);
    this.#shared = shared;
    this.#runtime = runtime;
    this.#settings = settingsOf(options, inside.follows);
    const { headers, page, prefix } = this.#settings;
    const filesOf = (folder: string) => staticFiles(shared, folder, this.#settings.files, true);
    this.reason =
      this.#settings.engine === "node" ? "engine: 'node'" : (obstacle(shared, runtime) ?? inside.obstacle ?? null);
    if (this.#settings.engine === "loop" && this.reason !== null) {
      throw new SendfileError("ERR_SENDFILE_NOT_AVAILABLE", `engine 'loop' can't run here: ${this.reason}`);
    }
    this.#fds = new Uint8Array(new SharedArrayBuffer(this.reason === null ? FDS : 0));
    this.#connections = new Int32Array(new SharedArrayBuffer(4 * (this.#settings.threads + 1)));
    const { log = null } = inside;
    let app = inside.app ?? (page === null ? byFiles : pageFor(page));
    this.#journals = log === null ? null : new Journals(log);
    const answer = (req: IncomingMessage, res: ServerResponse) => {
      const isRefused = runtime.isLax && isUnsound(req);
      if (isRefused || this.#state === "closing") res.setHeader("Connection", "close");
      if (isRefused) return void res.writeHead(400).end();
      for (const [name, value] of headers) res.setHeader(name, value);
      app(req, res, filesFor(req, this.#files.handler));
    };
    this.#behind = new Connections(answer, (count) => {
      this.#connections[0] = count;
    });
    this.#asked = createBehind(this.#settings, this.#behind);
    if (this.#settings.app === null) {
      this.#files = filesOf(root as string);
      this.#http = this.#asked;
      have(this.#http);
    } else {
      const mounts = mountedAll(typeof root === "string" ? [{ prefix, root }] : root, filesOf);
      this.#files = mounts;
      this.#http = serverOf(this.#settings.app, this.#settings);
      const isFile = ({ method, url = "" }: IncomingMessage) =>
        (method === "GET" || method === "HEAD") && mounts.has(url);
      const { pass, undo } = putBefore(this.#http, this.#behind, isFile);
      app = passTo(pass, headers);
      this.#unfront = undo;
    }
  }

  /** Who answers: "loop", or "node" for the reason in `reason`. */
  get engine(): "loop" | "node" {
    return this.reason === null ? "loop" : "node";
  }

  /** Listens as `net.Server` does. Resolves with the address: that of a Unix socket is its path. */
  async listen(options: ListenOptions = {}): Promise<AddressInfo & string> {
    object("options", options);
    if (this.#state !== "new") throw listensAlready();
    if (Buffer.byteLength(options.path ?? "") > PATH_MOST) {
      const text = `listen ENAMETOOLONG: a socket's path has ${PATH_MOST} bytes at the most ${options.path}`;
      throw Object.assign(new Error(text), { code: "ENAMETOOLONG", syscall: "listen", address: options.path });
    }
    this.#state = "listening";
    try {
      this.#opening = this.reason !== null ? this.#listenNode(options) : this.#listenLoop(options);
      await this.#opening;
    } catch (error) {
      this.#cut = 0;
      this.#stop();
      await this.#end();
      this.#cut = Number.POSITIVE_INFINITY;
      this.#state = "new";
      throw error;
    }
    this.emit("listening");
    return this.address() as AddressInfo & string;
  }

  /** @internal Serves where its app listens already: a loop by the same socket, `isInherited` if others have it, too. */
  follow(isInherited: boolean): void {
    const http = this.#http;
    this.#state = "listening";
    if (this.reason !== null) {
      http.once("close", () => {
        this.#unfront(); // before others hear of it: they may listen again
        void this.close();
      });
      return;
    }
    const address = http.address() as AddressInfo | string;
    if ((http as { _unref?: boolean })._unref) this.#isRef = false; // undocumented
    this.#serve({ fd: duplicateOf(this.#libc(), http, this.#shared.fdOf), address, isInherited }, false);
    letGo(http, address);
  }

  address(): AddressInfo | string | null {
    return this.reason !== null ? this.#http.address() : (this.#listening?.address ?? null);
  }

  ref(): this {
    return this.#setRef(true);
  }

  /** Does not keep the process running. */
  unref(): this {
    return this.#setRef(false);
  }

  stats(): ServerStats {
    return statsOf(this.reason, this.#connections, this.#threads);
  }

  /**
   * Takes no new connections, ends idle ones, and gives answers that are on their way `timeout` ms. Default: 5000. Called
   * again, it may cut them earlier. A function is called at the end, as net.Server's.
   */
  close(options: { timeout?: number } | ((error?: Error) => void) = {}): Promise<void> {
    if (typeof options === "function") {
      const done = options;
      const closed = this.close();
      closed.then(() => done(), done);
      return closed;
    }
    const { timeout = 5000 } = options;
    milliseconds("timeout", timeout);
    const cut = performance.now() + timeout;
    const isEarlier = cut < this.#cut;
    this.#cut = Math.min(cut, this.#cut);
    if (this.#closed === null) this.#closed = this.#close();
    else if (isEarlier) this.#stop();
    return this.#closed;
  }

  /** @internal Passes on what the loops have logged so far, so that what is logged next stands behind it. */
  readLog(): void {
    this.#journals?.read();
  }

  /** @internal Ends what `close()` waits for. */
  cut(): void {
    if (this.#state === "closing") void this.close({ timeout: 0 });
  }

  closeIdleConnections(): void {
    if (this.#state === "closing") this.#behind.endIdle();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal Its threads' workers, for tests. */
  workers(): (Worker | null)[] {
    return this.#threads.map(({ worker }) => worker);
  }

  #setRef(isRef: boolean): this {
    this.#isRef = isRef;
    for (const thread of this.#threads) thread.setRef(isRef);
    if (this.reason !== null) isRef ? this.#http.ref() : this.#http.unref();
    return this;
  }

  #listenNode(options: ListenOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#http.once("error", reject);
      this.#http.listen(options, () => {
        this.#http.off("error", reject);
        this.#http.on("error", (error) => this.emit("error", error));
        this.#http.once("close", () => void this.close()); // by its app
        resolve();
      });
    });
  }

  async #listenLoop(options: ListenOptions): Promise<void> {
    this.#serve(await listen(this.#libc(), options, this.#shared.fdOf), true);
  }

  /** By loops. `isNew`: the server behind does not listen itself. */
  #serve(listening: Listening, isNew: boolean): void {
    const libc = this.#libc();
    this.#listening = listening;
    const reader = new Reader(this.#runtime, () => {
      for (const thread of this.#threads) thread.reconnect();
    });
    this.#reader = reader;
    if (this.#runtime.isBare) this.#unlimit = limit(this.#http, this.#behind, this.#settings);
    const { threads, headersTimeout, keepAliveTimeout, stallTimeout, maxConnections, files } = this.#settings;
    for (let i = 0; i < threads; i++) {
      const wake = openEvent(libc);
      if (wake < 0) throw new Error(`eventfd: errno ${libc.errno()}`);
      this.#wakes.push(wake);
      const plan = {
        ...{ listener: listening.fd, wake, fds: this.#fds, id: i + 1, shared: threads > 1 },
        ...{ headersTimeout: endless(headersTimeout), keepAliveTimeout: endless(keepAliveTimeout) },
        ...{ stallTimeout, maxConnections, openFiles: OPEN_FILES },
        ...{ varies: files.precompressed === true, connections: this.#connections },
        log: this.#journals?.add() ?? null,
      };
      this.#threads.push(
        new Thread(this.#runtime, libc, plan, {
          message: (thread, message) => void this.#hear(thread, message),
          reader: (port, eventfd) => reader.connect(port, eventfd),
        }),
      );
    }
    this.#setRef(this.#isRef);
    this.#pose(isNew);
    this.#stay = onLeaving(() => {
      for (const thread of this.#threads) thread.leave();
    });
  }

  /** Has the server behind look as if it listened: to itself, and to its app. */
  #pose(isNew: boolean): void {
    const http = this.#http;
    const closers = [listens(http, this.#settings.app === null ? {} : asWhole(http, this), isNew)];
    if (this.#asked !== http) closers.push(listens(this.#asked, {}));
    this.#unpose = () => {
      this.#unfront();
      for (const close of closers) close();
    };
  }

  async #hear(thread: Thread, message: FromLoop): Promise<void> {
    if (message.type === "logged") this.#journals?.told();
    else if (message.type === "ask") {
      const { key, rest } = message;
      const answer = await ask(this.#asked, this.#files, message);
      thread.tell({ type: "answer", key, rest, answer });
    } else if (message.type === "handed") {
      for (const handed of message.connections) {
        if (adopt(this.#http, handed, this.#runtime) === null) this.#libc().close(handed.fd);
      }
    }
  }

  async #close(): Promise<void> {
    const was = this.#state;
    this.#state = "closing";
    if (was === "listening") {
      await this.#opening?.catch(() => {}); // told to who listens
      if (this.#listening?.isInherited === false) shutListener(this.#libc(), this.#listening.fd);
      this.#stop();
      await this.#closeHttp();
    }
    this.#state = "closed";
    this.emit("close");
  }

  /** Tells the threads to stop. */
  #stop(): void {
    const timeout = Math.max(this.#cut - performance.now(), 0);
    for (const thread of this.#threads) thread.stop(timeout);
  }

  /** Waits for the threads, which were told to stop, and gives back what they shared. */
  async #end(): Promise<void> {
    await Promise.all(this.#threads.map(({ over }) => over));
    this.readLog();
    this.#release();
  }

  /** Closes idle connections at once, the others once their answers are over; all when it is late. */
  async #closeHttp(): Promise<void> {
    const isListening = this.reason !== null && this.#http.listening;
    const closed = isListening ? new Promise<void>((done) => void this.#http.close(() => done())) : null;
    let isOver = false;
    const over = Promise.all([this.#end(), closed]).then(() => {
      isOver = true;
    });
    // The threads may hand over until their end.
    while (!isOver || this.#behind.size > 0) {
      if (performance.now() < this.#cut) this.#behind.endIdle();
      else this.#behind.end();
      const soon = new Promise((next) => setTimeout(next, 20));
      await (isOver ? soon : Promise.race([over, soon]));
    }
    await over;
    this.#unpose(); // its timer would keep all of this
  }

  #release(): void {
    this.#stay();
    this.#unlimit();
    if (this.#listening === null) return;
    const libc = this.#libc();
    const { fd, address } = this.#listening;
    libc.close(fd);
    const wakes = this.#wakes;
    this.#wakes = [];
    // Their numbers must be nobody else's until it has ended.
    this.#reader?.end(() => {
      for (const eventfd of wakes) libc.close(eventfd);
    });
    this.#reader = null;
    this.#listening = null;
    if (typeof address !== "string") return;
    try {
      unlinkSync(address);
    } catch {} // somebody else has removed it
  }

  #libc(): LoopLibc {
    return this.#shared.sys?.libc as unknown as LoopLibc;
  }
}
