// The way out, as it has to be: a plain stack and a few variables, against which every answer of the
// core's exit half is compared.

import { Begun, Next, Reason, Status } from "../../assembly/abi.js";

export interface Entry {
  /** The core's number for it. */
  id: number;
  signals: number;
  timeout: number;
}

/** Output has a second of its own where the deadline leaves less. */
const FLUSH_MS = 1000;

export class Leaving {
  readonly #status: number;
  readonly #forceAfter: number;
  readonly #deadline: number;
  readonly waiting: Entry[] = [];
  /** Pulled, and neither settled nor late. */
  readonly claimed = new Set<Entry>();
  state: "idle" | "ready" | "call" | "others" | "flush" | "last" | "over" = "idle";
  began = 0;
  signal = 0;
  #code = 0;
  #failed = false;
  #called = false;
  /** Of Call and Late. */
  told: Entry | null = null;
  #until = Number.POSITIVE_INFINITY;

  constructor(status: number, forceAfter: number, deadline: number) {
    this.#status = status;
    this.#forceAfter = forceAfter;
    this.#deadline = deadline;
  }

  get signals(): number {
    return this.waiting.reduce((sum, entry) => sum | entry.signals, 0);
  }
  get due(): number {
    return ["call", "others", "flush"].includes(this.state) ? this.#until : Number.POSITIVE_INFINITY;
  }
  get value(): number {
    if (this.signal === 0) return this.#code || (this.#failed ? 1 : 0);
    if (this.#failed) return 1;
    if (this.#status === Status.Signal) return this.signal;
    return this.#status === Status.Code ? 128 + this.signal : this.#status;
  }

  /** Returns whether it was there to be taken. */
  remove(entry: Entry): boolean {
    const at = this.waiting.indexOf(entry);
    if (at >= 0) this.waiting.splice(at, 1);
    return at >= 0;
  }

  begin(reason: Reason, value: number, now: number): Begun {
    const { state } = this;
    if (reason === Reason.Leaving) {
      if (state === "over") return Begun.Ignored;
      this.state = "last";
      this.signal = 0;
      this.#code = value;
      return Begun.Begun;
    }
    if (state === "idle") {
      if (reason === Reason.Signal) this.signal = value;
      else if (reason === Reason.Asked && value < 0) this.signal = -value;
      else this.#code = value;
      this.began = now;
      this.state = "ready";
      return Begun.Begun;
    }
    if (reason !== Reason.Signal || state === "last" || state === "over") return Begun.Ignored;
    if (now - this.began <= this.#forceAfter) return Begun.Ignored;
    this.signal ||= value;
    this.state = "over";
    return Begun.Forced;
  }

  next(now: number): Next {
    switch (this.state) {
      case "call":
        if (now < this.#until) return Next.Wait;
        this.state = "ready";
        this.claimed.delete(this.told!);
        return Next.Late;
      case "others":
        if (now < this.#until) return Next.Wait;
        this.state = "ready";
        return this.#pull(now);
      case "flush":
        if (now < this.#until) return Next.Wait;
        return this.#verdict();
      case "over":
        return this.#verdict();
      default:
        return this.#pull(now);
    }
  }

  #pull(now: number): Next {
    const end = this.began + this.#deadline;
    const entry = this.waiting.findLast(
      ({ signals }) => this.signal === 0 || (signals & (1 << (this.signal - 1))) !== 0,
    );
    if (entry !== undefined) {
      this.remove(entry);
      this.claimed.add(entry);
      this.told = entry;
      if (this.state === "ready") {
        this.state = "call";
        this.#until = Math.min(now + entry.timeout, end);
      }
      return Next.Call;
    }
    if (this.state === "last") return this.#verdict();
    if (this.signal !== 0 && !this.#called) {
      this.#called = true;
      this.state = "others";
      this.#until = end;
      return Next.Others;
    }
    this.state = "flush";
    this.#until = Math.max(end, now + FLUSH_MS);
    return Next.Flush;
  }

  #verdict(): Next {
    this.state = "over";
    return this.signal !== 0 && this.#status === Status.Signal && !this.#failed ? Next.Die : Next.Exit;
  }

  settle(entry: Entry, ok: boolean): void {
    this.claimed.delete(entry);
    if (this.state === "call") this.state = "ready";
    if (!ok) this.#failed = true;
  }
  heard(ok: boolean): void {
    this.state = "ready";
    if (!ok) this.#failed = true;
  }
  flushed(): void {
    this.state = "over";
  }
}
