// Text from one thread to another, in memory that both share: bounded, and nobody waits. What does not fit is lost, and
// counted.

/** Bytes of text: a power of two, since places are counted modulo 2**32. */
const SIZE = 4 << 20;

/** Words before the text. */
enum Word {
  /** Where the next byte is written, and read: counted without end. */
  Written,
  Read,
  /** Writes that were lost since the last read. */
  Lost,
  /** The reader knows that there is something. */
  Told,
  COUNT,
}

export class Ring {
  readonly #words: Int32Array;
  readonly #bytes: Buffer;

  /** `memory` is that of `room()`; for one writer and one reader. */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, Word.COUNT);
    this.#bytes = Buffer.from(memory, Word.COUNT * 4, SIZE);
  }

  static room(): SharedArrayBuffer {
    return new SharedArrayBuffer(Word.COUNT * 4 + SIZE);
  }

  /**
   * Writes latin1 text, or none of it. Once one was lost all are until the reader has been there: so there is one gap.
   * True if the reader is to be told.
   */
  write(text: string): boolean {
    const words = this.#words;
    const at = words[Word.Written] as number;
    const used = (at - Atomics.load(words, Word.Read)) >>> 0;
    if (Atomics.load(words, Word.Lost) > 0 || text.length > SIZE - used) Atomics.add(words, Word.Lost, 1);
    else {
      const from = at & (SIZE - 1);
      const first = this.#bytes.write(text, from, "latin1");
      if (first < text.length) this.#bytes.write(text.slice(first), 0, "latin1");
      Atomics.store(words, Word.Written, (at + text.length) | 0);
    }
    return Atomics.exchange(words, Word.Told, 1) === 0;
  }

  /** All text that was written, and how many writes behind it were lost. */
  read(): { text: string; lost: number } {
    const words = this.#words;
    Atomics.store(words, Word.Told, 0);
    // Before the text: if one is lost, all that is there was written before.
    const isLost = Atomics.load(words, Word.Lost) > 0;
    const from = words[Word.Read] as number;
    const to = Atomics.load(words, Word.Written);
    const start = from & (SIZE - 1);
    const length = (to - from) >>> 0;
    const first = Math.min(length, SIZE - start);
    const slice = (begin: number, end: number) => this.#bytes.toString("latin1", begin, end);
    const text = slice(start, start + first) + slice(0, length - first);
    Atomics.store(words, Word.Read, to);
    return { text, lost: isLost ? Atomics.exchange(words, Word.Lost, 0) : 0 };
  }
}
