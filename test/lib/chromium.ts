// A real browser, driven over the DevTools protocol. It speaks it on a pair of pipes, a JSON text and a zero
// byte at a time: nothing has to be installed for that, and no port is opened.

import { spawn, spawnSync } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { within } from "./web.js";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The browser's path, or why there is none. */
export function findChromium(): { path: string } | { missing: string } {
  const given = process.env.CHROME_PATH;
  if (given) return existsSync(given) ? { path: given } : { missing: `CHROME_PATH: there is no ${given}` };
  const path = NAMES.find((name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0);
  return path === undefined ? { missing: "no chromium on this machine" } : { path };
}

type Json = Record<string, unknown>;

export class Chromium {
  readonly #events = new EventEmitter();
  readonly #answers = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  readonly #to: Writable;
  #id = 0;
  #close: () => Promise<void>;

  private constructor(to: Writable, from: Readable, close: () => Promise<void>) {
    this.#to = to;
    this.#close = close;
    this.#events.setMaxListeners(0);
    to.on("error", () => {}); // its end is told by `from`
    let rest = "";
    from.setEncoding("utf8").on("data", (text: string) => {
      const messages = (rest + text).split("\0");
      rest = messages.pop() ?? "";
      for (const message of messages) this.#heard(JSON.parse(message));
    });
    from.on("close", () => {
      for (const { reject } of this.#answers.values()) reject(new Error("the browser has gone"));
    });
  }

  static async launch(path: string): Promise<Chromium> {
    const profile = await mkdtemp(join(tmpdir(), "sendoff-chromium-"));
    const flags = [
      "--headless=new",
      "--remote-debugging-pipe",
      `--user-data-dir=${profile}`,
      "--no-first-run",
      "--no-default-browser-check",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-background-networking",
      "--autoplay-policy=no-user-gesture-required",
      // The sandbox refuses to work for root, which tests in containers are.
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
    ];
    const child = spawn(path, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    const exit = once(child, "exit");
    const close = async () => {
      child.kill("SIGKILL");
      await exit;
      await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    };
    return new Chromium(child.stdio[3] as Writable, child.stdio[4] as Readable, close);
  }

  /** Asks the browser to end, and ends it. */
  async close(): Promise<void> {
    await within(this.send("Browser.close"), "the browser closes").catch(() => {});
    await this.#close();
  }

  send<T = Json>(method: string, params: Json = {}, sessionId?: string): Promise<T> {
    const id = ++this.#id;
    this.#to.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const answer = new Promise<T>((resolve, reject) => {
      this.#answers.set(id, { resolve: resolve as (result: unknown) => void, reject });
    });
    return within(answer, method).finally(() => this.#answers.delete(id));
  }

  on(sessionId: string, method: string, heard: (params: Json) => void): void {
    this.#events.on(`${sessionId} ${method}`, heard);
  }

  /** A tab of its own. */
  async page(): Promise<Page> {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send<{ sessionId: string }>("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId);
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await page.send(`${domain}.enable`);
    return page;
  }

  #heard({ id, error, result, sessionId, method, params }: Json): void {
    if (typeof id !== "number") return void this.#events.emit(`${sessionId} ${method}`, params);
    const answer = this.#answers.get(id);
    if (error) answer?.reject(new Error((error as Error).message));
    else answer?.resolve(result);
  }
}

export class Page {
  /** Errors in the console. */
  readonly complaints: string[] = [];
  readonly #browser: Chromium;
  readonly #session: string;

  constructor(browser: Chromium, session: string) {
    this.#browser = browser;
    this.#session = session;
    this.on("Runtime.exceptionThrown", (params) => this.complaints.push(JSON.stringify(params)));
    this.on("Log.entryAdded", ({ entry }) => {
      if ((entry as Json).level !== "verbose") this.complaints.push(JSON.stringify(entry));
    });
  }

  send<T = Json>(method: string, params: Json = {}): Promise<T> {
    return this.#browser.send<T>(method, params, this.#session);
  }

  on(method: string, heard: (params: Json) => void): void {
    this.#browser.on(this.#session, method, heard);
  }

  /** Does something that leads to another page, and waits for it. */
  async leads(act: () => Promise<unknown>): Promise<void> {
    const loaded = new Promise<void>((resolve) => this.on("Page.loadEventFired", () => resolve()));
    await act();
    await within(loaded, "the page loads");
  }

  goto(url: string): Promise<void> {
    return this.leads(() => this.send("Page.navigate", { url }));
  }

  /** The value of an expression; a promise is waited for. */
  async evaluate<T>(expression: string): Promise<T> {
    const answer = await this.send<{ result: { value: T }; exceptionDetails?: unknown }>("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
      userGesture: true,
    });
    if (answer.exceptionDetails) throw new Error(JSON.stringify(answer.exceptionDetails));
    return answer.result.value;
  }

  /** Presses a key; one that has a text of its own is written. */
  async key(key: keyof typeof KEYS): Promise<void> {
    const { code, text } = KEYS[key];
    const event = { key, windowsVirtualKeyCode: code, ...(text === undefined ? {} : { text }) };
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", ...event });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  /** Writes where the focus is. */
  async write(text: string): Promise<void> {
    await this.send("Input.insertText", { text });
  }

  /** A screen of this width, in light or dark colours; a telephone's, if it is narrow. */
  async screen(width: number, colours: "light" | "dark" = "light"): Promise<void> {
    const mobile = width < 500;
    const metrics = { width, height: mobile ? 740 : 820, deviceScaleFactor: mobile ? 2 : 1, mobile };
    await this.send("Emulation.setDeviceMetricsOverride", metrics);
    await this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: colours }] });
  }

  /** SCREENSHOTS=folder keeps what was seen. */
  async picture(name: string): Promise<void> {
    const folder = process.env.SCREENSHOTS;
    if (!folder) return;
    const { data } = await this.send<{ data: string }>("Page.captureScreenshot", { captureBeyondViewport: false });
    await writeFile(join(folder, `${name}.png`), Buffer.from(data, "base64"));
  }
}

const KEYS = {
  Tab: { code: 9, text: undefined },
  Enter: { code: 13, text: "\r" },
  Escape: { code: 27, text: undefined },
  ArrowUp: { code: 38, text: undefined },
  ArrowDown: { code: 40, text: undefined },
  "/": { code: 191, text: "/" },
} as const;
