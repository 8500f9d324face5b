// Lines from one thread to another, in memory that both share: bounded, and nobody waits. What does not fit is lost, and
// counted.

/** Bytes of lines: a power of two, since places are counted modulo 2**32. */
const SIZE = 4 << 20;

/** Words before them. */
enum Word {
  /** Where the next byte is written, and read: counted without end. */
  Written,
  Read,
  /** Lines that were lost since the last read. */
  Lost,
  /** The reader knows that there is something. */
  Told,
  COUNT,
}

export class Ring {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  /** `memory` is that of `room()`; for one writer and one reader. */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, Word.COUNT);
    this.#bytes = new Uint8Array(memory, Word.COUNT * 4, SIZE);
  }

  static room(): SharedArrayBuffer {
    return new SharedArrayBuffer(Word.COUNT * 4 + SIZE);
  }

  /**
   * Writes lines, or none of them. Once some were lost all are until the reader has been there: so there is one gap.
   * True if the reader is to be told.
   */
  write(bytes: Uint8Array, lines: number): boolean {
    const words = this.#words;
    const at = words[Word.Written] as number;
    const used = (at - Atomics.load(words, Word.Read)) >>> 0;
    if (Atomics.load(words, Word.Lost) > 0 || bytes.length > SIZE - used) Atomics.add(words, Word.Lost, lines);
    else {
      const from = at & (SIZE - 1);
      const first = Math.min(bytes.length, SIZE - from);
      this.#bytes.set(first < bytes.length ? bytes.subarray(0, first) : bytes, from);
      if (first < bytes.length) this.#bytes.set(bytes.subarray(first));
      Atomics.store(words, Word.Written, (at + bytes.length) | 0);
    }
    return Atomics.exchange(words, Word.Told, 1) === 0;
  }

  /** All lines that were written, and how many behind them were lost. */
  read(): { lines: Buffer; lost: number } {
    const words = this.#words;
    Atomics.store(words, Word.Told, 0);
    // Before the lines: if one is lost, all that is there was written before.
    const isLost = Atomics.load(words, Word.Lost) > 0;
    const from = words[Word.Read] as number;
    const to = Atomics.load(words, Word.Written);
    const start = from & (SIZE - 1);
    const length = (to - from) >>> 0;
    const first = Math.min(length, SIZE - start);
    const lines = Buffer.allocUnsafe(length);
    lines.set(this.#bytes.subarray(start, start + first));
    lines.set(this.#bytes.subarray(0, length - first), first);
    Atomics.store(words, Word.Read, to);
    return { lines, lost: isLost ? Atomics.exchange(words, Word.Lost, 0) : 0 };
  }
}
