// Who reads a web stream. HTTP adapters write a Response's body to node:http's response in a loop that looks at no byte;
// if such a loop, and nobody else, reads a file's stream, the kernel can send the rest of the file in its place.
//
// A chunk that arrives at res.write() unchanged proves nothing: a transform may pass it on, count it, and change the next.
// So the loop is known by its text, like the package `send`; the response, by a first chunk that the loop has written to it.

import { ServerResponse } from "node:http";
import { apply, call, defineProperty, SafeSet, textOf } from "../../originals.js";
import { watchWrites } from "../body.js";

type Settled = (value: unknown) => unknown;

/** What the adapters pass to `reader.read().then()`, as published. */
const LOOPS = new SafeSet(
  [
    // @hono/node-server 2: writeFromReadableStreamDefaultReader
    `function flow({ done, value }) {
      try {
        if (done) writable.end();
        else if (!writable.write(value)) writable.once("drain", onDrain);
        else reader.read().then(flow, handleStreamError);
      } catch (e) { handleStreamError(e); }
    }`,
    // srvx 1: streamBody
    `function streamHandle({ done, value }) {
      try {
        if (done) nodeRes.end();
        else if (nodeRes.write(value)) reader.read().then(streamHandle, streamCancel);
        else nodeRes.once("drain", () => reader.read().then(streamHandle, streamCancel));
      } catch (error) { streamCancel(error instanceof Error ? error : void 0); }
    }`,
  ].map(bare),
);
const LONGEST = 1000;

/** Without what a formatter changes. */
function bare(text: string): string {
  return text.replace(/[\s;]/g, "");
}

const { getReader } = ReadableStream.prototype;
const { then } = Promise.prototype;

/** The consumer whose loop is running. */
let running: Consumer | null = null;
watchWrites((res, chunk) => running?.wrote(res, chunk));

/** The consumer of one stream. */
export class Consumer {
  /** What is attached to the last read: how often, and the loop, if it is one. */
  #attached = 0;
  #loop: unknown = null;
  /** The loop that has written chunks, the response that it wrote them to, and how many bytes. */
  #writer: unknown = null;
  #res: ServerResponse | null = null;
  #bytes = 0;
  /** The chunk that the running loop has to write; null once it is written. */
  #chunk: unknown = null;

  /** Watches the readers of the stream; other ways to read it (pipeTo, tee, for await) use none of them. */
  constructor(stream: ReadableStream) {
    own(stream, "getReader", (...args: unknown[]) => {
      const reader = apply(getReader as (...args: unknown[]) => object, stream, args);
      const { read } = reader as { read: () => Promise<unknown> };
      own(reader, "read", (...args: unknown[]) => {
        this.#attached = 0;
        this.#loop = null;
        const result = apply(read as (...args: unknown[]) => Promise<unknown>, reader, args);
        own(result, "then", (settled: Settled, failed: Settled) =>
          call(then, result, this.#attach(settled) as never, failed as never),
        );
        return result;
      });
      return reader;
    });
  }

  /** Whether an adapter's loop waits for the next chunk, or has written all so far. */
  get isLoop(): boolean {
    return this.#loop !== null || this.#bytes > 0;
  }

  /**
   * The response that an adapter's loop has written the first `bytes` of the stream to, if that loop and nobody else waits
   * for the next chunk.
   */
  target(bytes: number): ServerResponse | null {
    const alone = this.#attached === 1 && this.#loop !== null && this.#loop === this.#writer;
    return alone && this.#bytes === bytes ? this.#res : null;
  }

  #attach(settled: Settled): Settled {
    this.#attached++;
    if (typeof settled !== "function" || (settled !== this.#writer && !isLoop(settled))) return settled;
    this.#loop = settled;
    return (result) => {
      const outer = running;
      running = this;
      this.#attached = 0;
      this.#loop = null;
      this.#chunk = (result as { value?: unknown }).value ?? null;
      this.#writer = settled;
      try {
        return settled(result);
      } finally {
        running = outer;
        if (this.#chunk !== null) this.#bytes = Number.NaN; // it was not written
      }
    };
  }

  /** The running loop writes. */
  wrote(res: object, chunk: unknown): void {
    const same = chunk === this.#chunk && res instanceof ServerResponse && (this.#res === null || this.#res === res);
    this.#bytes = same ? this.#bytes + (chunk as Uint8Array).length : Number.NaN;
    this.#res = same ? res : null;
    this.#chunk = null;
  }
}

/** The last answer: a server mostly has one adapter. */
let lastText = "";
let lastIsLoop = false;

function isLoop(settled: Settled): boolean {
  const text = call(textOf, settled);
  if (text === lastText) return lastIsLoop;
  lastIsLoop = text.length < LONGEST && LOOPS.has(bare(text));
  lastText = text;
  return lastIsLoop;
}

/** A method of this object alone, as inconspicuous as its prototype's. */
function own(object: object, name: string, value: unknown): void {
  defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
}
