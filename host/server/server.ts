// createFileServer(): a folder served by loops, with a node:http server behind them; or by that server alone.

import { EventEmitter } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, ListenOptions } from "node:net";
import type { Duplex } from "node:stream";
import { SendfileError } from "../errors.js";
import { type StaticFiles, staticFiles } from "../http/static.js";
import type { FromLoop } from "../loop/messages.js";
import type { FdOf } from "../queue/queue.js";
import type { Shared } from "../shared.js";
import { object } from "../validate.js";
import { adopt } from "./adopt.js";
import { byFiles, pageFor, passTo } from "./app.js";
import { ask, filesFor, isAsking } from "./ask.js";
import { createBehind, isUnsound, limit, stopListening } from "./behind.js";
import { type CloseOptions, Closing } from "./closing.js";
import { Connections, endBehind } from "./connections.js";
import { have, putBefore, serverOf } from "./front.js";
import { answerHealth, isHealth } from "./health.js";
import { type ListenFd, tellServing } from "./inherited.js";
import { Journals } from "./journals.js";
import { checkFd, checkPath, fdOfServer } from "./listener.js";
import { asWhole, listens, listensAlready } from "./listens.js";
import { Loops } from "./loops.js";
import { metricsOf } from "./metrics.js";
import { MetricsPort } from "./metrics-port.js";
import { type Mount, mountedAll } from "./mount.js";
import { obstacle } from "./obstacle.js";
import { type FileServerOptions, type Inside, type Settings, settingsOf } from "./options.js";
import type { ServerRuntime } from "./runtime.js";
import { type ServerStats, statsOf } from "./stats.js";
import { checkHandOver, type HandOverOptions, startSuccessor, toHandOver } from "./successor.js";
import type { Thread } from "./thread.js";

/** Made by {@link createFileServer}. Emits 'listening', 'error' and 'close'. */
export class FileServer extends EventEmitter {
  readonly #settings: Settings;
  readonly #files: StaticFiles;
  /** Whose answers are the loops'. */
  readonly #asked: Server;
  /** Answers all else: the same, or that of the app. */
  readonly #http: Server;
  readonly #runtime: ServerRuntime;
  /** Why no loop serves; null if one does. */
  readonly reason: string | null;
  readonly #loops: Loops | null;
  /** Those of the server behind. */
  readonly #behind: Connections;
  readonly #journals: Journals | null;
  /** As {@link Start} has it. */
  readonly #connections: Int32Array;
  readonly #port: MetricsPort | null;
  readonly #fdOf: FdOf | undefined;
  /** Refused by the server behind. */
  #dropped = 0;
  #state: "new" | "listening" | "draining" | "closing" | "closed" = "new";
  /** Another process serves in place of this one. */
  #isSucceeded = false;
  #isHandingOver = false;
  #isRef = true;
  #opening: Promise<void> | null = null;
  #closed: Promise<void> | null = null;
  #closing = new Closing();
  /** Aborted when it begins to end. */
  readonly #abort = new AbortController();
  #upgraded: ((socket: Duplex) => void) | null = null;
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
    this.#runtime = runtime;
    this.#settings = settingsOf(options, inside.follows);
    this.#fdOf = shared.fdOf;
    const { headers, page, prefix, health, metrics } = this.#settings;
    this.#port = metrics === null ? null : new MetricsPort(() => this.metrics());
    const filesOf = (folder: string) => staticFiles(shared, folder, this.#settings.files, true);
    this.reason =
      this.#settings.engine === "node" ? "engine: 'node'" : (obstacle(shared, runtime) ?? inside.obstacle ?? null);
    if (this.#settings.engine === "loop" && this.reason !== null) {
      throw new SendfileError("ERR_SENDFILE_NOT_AVAILABLE", `engine 'loop' can't run here: ${this.reason}`);
    }
    this.#connections = new Int32Array(new SharedArrayBuffer(4 * (this.#settings.threads + 1)));
    const { log = null } = inside;
    let app = inside.app ?? (page === null ? byFiles : pageFor(page));
    this.#journals = log === null ? null : new Journals(log);
    const plan = {
      ...{ settings: this.#settings, connections: this.#connections, journals: this.#journals },
      message: (thread: Thread, message: FromLoop) => void this.#hear(thread, message),
    };
    this.#loops = this.reason === null ? new Loops(shared, runtime, plan) : null;
    const answer = (req: IncomingMessage, res: ServerResponse) => {
      const isRefused = runtime.isLax && isUnsound(req);
      if (isRefused || (this.#isDraining && !isAsking(req.socket))) endBehind(res, this.#isNative);
      if (isRefused) return void res.writeHead(400).end();
      if (isHealth(health, req)) return answerHealth(req, res, !this.#isDraining || this.#isSucceeded);
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
    this.#http.on("drop", () => this.#dropped++);
  }

  /** Who answers: "loop", or "node" for the reason in `reason`. */
  get engine(): "loop" | "node" {
    return this.reason === null ? "loop" : "node";
  }

  /** Listens as `net.Server` does. Resolves with the address: that of a Unix socket is its path. */
  async listen(options: ListenOptions = {}): Promise<AddressInfo & string> {
    object("options", options);
    if (this.#state !== "new") throw listensAlready();
    checkPath(options);
    this.#state = "listening";
    try {
      this.#opening = this.#listen(options);
      await this.#opening;
    } catch (error) {
      this.#closing.add({ timeout: 0 });
      this.#stop();
      await this.#end();
      this.#closing = new Closing();
      this.#state = "new";
      throw error;
    }
    if ((options as { fd?: number }).fd !== undefined) tellServing();
    this.emit("listening");
    return this.address() as AddressInfo & string;
  }

  /** @internal Serves where its app listens already: a loop by the same socket, `isInherited` if others have it, too. */
  follow(isInherited: boolean): void {
    const http = this.#http;
    this.#state = "listening";
    // Whoever hears of its end may have it listen again.
    if (this.#loops === null) return void http.once("close", this.#unfront);
    if ((http as { _unref?: boolean })._unref) this.#isRef = false; // undocumented
    this.#loops.follow(http, isInherited);
    this.#pose(false);
  }

  /** As of `net.Server`: where it listens; null if it does not. */
  address(): AddressInfo | string | null {
    return this.#loops === null ? this.#http.address() : this.#loops.address;
  }

  /** Keeps the process running, as a server does that was never told otherwise. */
  ref(): this {
    return this.#setRef(true);
  }

  /** Does not keep the process running. */
  unref(): this {
    return this.#setRef(false);
  }

  /** What it has counted so far. */
  stats(): ServerStats {
    const { followed, statuses } = this.#behind;
    const own = { reason: this.reason, draining: this.#isDraining, connections: this.#connections };
    return statsOf({ ...own, threads: this.#loops?.threads ?? [], followed, statuses, dropped: this.#dropped });
  }

  /** What `stats()` has, as text in the format of OpenMetrics, for Prometheus and the like. */
  metrics(): string {
    const threads = this.#loops?.threads.length ?? 0;
    return metricsOf({ stats: this.stats(), threads, lost: this.#journals?.lost ?? null });
  }

  /** Where `metrics` are told; null for nowhere. */
  metricsAddress(): AddressInfo | null {
    return this.#port?.address ?? null;
  }

  /**
   * Drains: `health` fails, and each answer ends its connection; after `delay` ms takes no new connections, ends those that
   * are idle, and gives answers that are on their way `timeout` ms. Called again, it may end earlier. A function is called
   * at the end, as net.Server's.
   */
  close(options: CloseOptions | ((error?: Error) => void) = {}): Promise<void> {
    if (typeof options === "function") {
      const done = options;
      const closed = this.close();
      closed.then(() => done(), done);
      return closed;
    }
    const isEarlier = this.#closing.add(options);
    this.#upgraded = options.upgraded ?? this.#upgraded;
    if (this.#closed === null) this.#closed = this.#close();
    else if (isEarlier) this.#stop();
    return this.#closed;
  }

  /**
   * Starts a new process with the listening socket, waits until that serves, then closes this server: no connection is
   * refused meanwhile. The new process listens with what `listenFds()` gives. Rejects, and serves on, if the new process
   * ends or does not serve in time, or if another one is being started. Resolves with its process id.
   */
  async handOver(options: HandOverOptions = {}): Promise<number> {
    checkHandOver(options);
    if (this.#isHandingOver) throw new Error("another process is being started already");
    this.#isHandingOver = true;
    try {
      if (this.#state === "listening") await this.#opening;
      if (this.#state !== "listening") throw new Error("a server that does not listen can't be handed over");
      const pid = await startSuccessor(this.#listenFds(), options, this.#abort.signal);
      this.#isSucceeded = true;
      this.#loops?.leaveListener();
      this.#port?.close();
      await this.close(options);
      return pid;
    } finally {
      this.#isHandingOver = false;
    }
  }

  /** @internal Passes on what the loops have logged so far, so that what is logged next stands behind it. */
  readLog(): void {
    this.#journals?.read();
  }

  /** @internal Ends what `close()` waits for. */
  cut(): void {
    if (this.#isDraining) void this.close({ timeout: 0 });
  }

  /** For `drainOnExit()`: while `close()` waits, ends connections without a request. */
  closeIdleConnections(): void {
    if (this.#state === "closing") this.#behind.endIdle(this.#closing.idle);
  }

  /** `close()`, by `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal For tests. */
  threads(): readonly Thread[] {
    return this.#loops?.threads ?? [];
  }

  /** Connections are those of a server that is not quite node:http. */
  get #isNative(): boolean {
    return this.#runtime.isBare && this.reason !== null;
  }

  get #isDraining(): boolean {
    return this.#state !== "new" && this.#state !== "listening";
  }

  /** Those to hand over. */
  #listenFds(): ListenFd[] {
    const fds = [this.#loops?.fd ?? fdOfServer(this.#http, this.#fdOf)];
    if (this.#port !== null) fds.push(fdOfServer(this.#port.server, this.#fdOf));
    const lacks = this.#runtime.inherits(this.#port === null ? this.engine : "node");
    return toHandOver(lacks, fds, this.address(), this.#loops !== null);
  }

  async #listen(options: ListenOptions): Promise<void> {
    const { metrics } = this.#settings;
    checkFd(options, this.#runtime.inherits(this.engine));
    checkFd(metrics ?? {}, this.#runtime.inherits("node"));
    if (this.#port !== null && metrics !== null) await this.#port.listen(metrics);
    if (this.#loops === null) return this.#listenNode(options);
    await this.#loops.listen(options);
    this.#pose(true);
  }

  #setRef(isRef: boolean): this {
    this.#isRef = isRef;
    if (this.#loops !== null) this.#loops.setRef(isRef);
    else isRef ? this.#http.ref() : this.#http.unref();
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

  /** Has the server behind look as if it listened: to itself, and to its app. `isNew`: it did not so far. */
  #pose(isNew: boolean): void {
    const http = this.#http;
    if (this.#runtime.isBare) this.#unlimit = limit(http, this.#behind, this.#settings);
    this.#setRef(this.#isRef);
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
        if (adopt(this.#http, handed, this.#runtime) === null) this.#loops?.libc.close(handed.fd);
      }
    }
  }

  async #close(): Promise<void> {
    if (this.#state === "listening") {
      this.#state = "draining";
      this.#abort.abort();
      await this.#opening?.catch(() => {}); // told to who listens
      this.#loops?.drain();
      this.#behind.drain(this.#isNative);
      await this.#closing.delayed();
      this.#state = "closing";
      if (this.#upgraded !== null) this.#behind.bid(this.#upgraded);
      this.#stop();
      await this.#closeHttp();
      this.#port?.close();
    }
    this.#state = "closed";
    this.emit("close");
  }

  /** Tells the threads to stop. */
  #stop(): void {
    if (this.#state !== "draining") this.#loops?.stop(this.#closing.left, this.#closing.idle);
  }

  /** Waits for the threads, which were told to stop, and gives back what they shared. */
  async #end(): Promise<void> {
    await this.#loops?.over();
    this.readLog();
    this.#loops?.release();
    this.#unlimit();
    if (this.#state === "listening") this.#port?.close(); // in vain
  }

  /** Closes connections once they are idle, the others once their answers are over; all when it is late. */
  async #closeHttp(): Promise<void> {
    let isOver = false;
    const over = Promise.all([this.#end(), this.#shut()]).then(() => {
      isOver = true;
    });
    // The threads may hand over until their end.
    while (!isOver || this.#behind.size > 0) {
      for (const _ of ["this turn", "the next"]) await new Promise(setImmediate); // what has come is read before that
      if (this.#closing.left > 0) this.#behind.endIdle(this.#closing.idle);
      else this.#behind.end();
      const soon = new Promise((next) => setTimeout(next, 20));
      await (isOver ? soon : Promise.race([over, soon]));
    }
    await over;
    this.#unpose(); // its timer would keep all of this
  }

  /** Has the http.Server listen no more, if it does. */
  async #shut(): Promise<void> {
    if (this.#loops === null && this.#http.listening) await stopListening(this.#http);
  }
}
