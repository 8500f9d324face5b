// Hostile arguments, for fast-check: any value at all, and those that throw when inspected.

import fc from "fast-check";

/** Made anew for each run, so that one run can't spoil another; a failure prints its name. */
export interface Lazy {
  readonly name: string;
  make(): unknown;
}

/** The error that every throwing value throws. */
export const BITE = new Error("the argument bites");

const bite = (): never => {
  throw BITE;
};

export function lazy(name: string, make: () => unknown): Lazy {
  return { name, make, [fc.toStringMethod]: () => name } as Lazy;
}

function detached(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const TRAPS: ProxyHandler<object> = {
  get: bite,
  has: bite,
  set: bite,
  ownKeys: bite,
  getPrototypeOf: bite,
  getOwnPropertyDescriptor: bite,
};

const NUMBERS = [Number.NaN, 1 / 0, -1 / 0, -0, -1, 0.5, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e308];

/** Values that bite when they are looked at, and some that only look strange. */
export const BITING: readonly Lazy[] = [
  lazy("a Proxy that throws", () => new Proxy({}, TRAPS)),
  lazy("a function Proxy that throws", () => new Proxy(() => {}, { ...TRAPS, apply: bite, construct: bite })),
  lazy("a revoked Proxy", revoked),
  lazy("an object whose constructor throws", () => Object.defineProperty({}, "constructor", { get: bite })),
  lazy("an object whose constructor's name is a symbol", () => ({ constructor: { name: Symbol("name") } })),
  lazy("an object that can't be a primitive", () => ({ [Symbol.toPrimitive]: bite, toString: bite, valueOf: bite })),
  lazy("an Error whose properties throw", () => {
    const names = ["stack", "name", "message", "code", "syscall", "errno", "path", "cause", "constructor"];
    return Object.defineProperties(new Error(), Object.fromEntries(names.map((name) => [name, { get: bite }])));
  }),
  lazy("an Error whose properties are no text", () =>
    Object.assign(new Error(), { message: Symbol("message"), code: 2n, syscall: {}, errno: "5", path: [] }),
  ),
  lazy("a frozen object", () => Object.freeze({ code: "EFROZEN" })),
  lazy("an object without a prototype", () => Object.create(null)),
  lazy("a detached ArrayBuffer", detached),
  lazy("a detached Uint8Array", () => {
    const bytes = new Uint8Array(8);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    return bytes;
  }),
  lazy("bytes of a SharedArrayBuffer", () => new Uint8Array(new SharedArrayBuffer(8))),
  lazy("bytes of a buffer that can shrink", () => {
    const buffer = new (ArrayBuffer as unknown as new (size: number, o: object) => ArrayBuffer)(8, {
      maxByteLength: 8,
    });
    return new Uint8Array(buffer);
  }),
  lazy("null", () => null),
  lazy("undefined", () => undefined),
  lazy("a symbol", () => Symbol("symbol")),
  lazy("a function", () => () => {}),
  lazy("a class", () => class Foo {}),
  lazy("a function that throws", () => bite),
  lazy("a bigint", () => 2n ** 64n),
  lazy("a long string", () => "x".repeat(100_000)),
  lazy("a null byte", () => "\0"),
  lazy("an array that throws", () => Object.defineProperty([1], 0, { get: bite })),
  lazy("a promise", () => Promise.resolve(1)),
  ...NUMBERS.map((value) => lazy(Object.is(value, -0) ? "-0" : String(value), () => value)),
];

/** Any value at all. */
export function strange(): fc.Arbitrary<Lazy> {
  const anything = fc
    .anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true, maxDepth: 1 })
    .map((value) => lazy(fc.stringify(value), () => value));
  return fc.oneof(anything, fc.constantFrom(...BITING));
}

/** One of these more often than not, else any value at all. */
export function mostly(...usual: Lazy[]): fc.Arbitrary<Lazy> {
  return fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...usual) }, { weight: 1, arbitrary: strange() });
}

/** Numbers as they are. */
export function values(...all: unknown[]): Lazy[] {
  return all.map((value) => lazy(String(value), () => value));
}

/** An object with some of these, some of them strange; now and then no object. */
export function options(fields: Record<string, Lazy[]>): fc.Arbitrary<Lazy> {
  const record = fc.record(
    Object.fromEntries(Object.entries(fields).map(([name, usual]) => [name, mostly(...usual)])),
    { requiredKeys: [] },
  );
  const made = record.map((some) => {
    const entries = Object.entries(some as Record<string, Lazy>);
    const name = `{ ${entries.map(([key, value]) => `${key}: ${value.name}`).join(", ")} }`;
    return lazy(name, () => Object.fromEntries(entries.map(([key, value]) => [key, value.make()])));
  });
  return fc.oneof({ weight: 8, arbitrary: made }, { weight: 1, arbitrary: strange() });
}

/** Runs a property, with the same numbers each time unless the environment asks for others; a failure prints them. */
export function check<T>(property: fc.IAsyncProperty<T>, numRuns: number): Promise<void> {
  const { FUZZ_SEED = "1", FUZZ_FACTOR = "1" } = process.env;
  return fc.assert(property, {
    seed: Number(FUZZ_SEED),
    numRuns: Math.ceil(numRuns * Number(FUZZ_FACTOR)),
    includeErrorInReport: true,
  });
}
