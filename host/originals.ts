// Globals and methods as they were when this was loaded; Node's own code has such a list, and calls it primordials.
// A program may replace or delete any of them. Code that runs in every program that loads sendoff/register (require(),
// fs.stat, a piped file) must still work then, and must stay invisible to tests that mock clocks or file systems. It
// can't use for-of, spread or [destructuring], which call Array.prototype's iterator.

import { AsyncResource } from "node:async_hooks";
import fs from "node:fs";

/** Call it without arguments: Node spreads them, by Array.prototype's iterator. */
export const setImmediate: (callback: () => void) => NodeJS.Immediate = globalThis.setImmediate;

export const { clearInterval, setInterval } = globalThis;

export const { closeSync, fstatSync, readSync, statfs, statSync } = fs;

const { set, subarray } = Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array;

export { set as setBytes, subarray as subarrayOf };
export const { isArray } = Array;
export const { isNaN: isNotANumber, isSafeInteger } = Number;
export const { allocUnsafe, allocUnsafeSlow, from: bufferFrom } = Buffer;
export const { copy: bufferCopy, subarray: bufferSubarray, write: bufferWrite } = Buffer.prototype;
export const { floor, max, min } = Math;
export const { defineProperty, getOwnPropertyDescriptor, getPrototypeOf, hasOwn, isExtensible } = Object;
export const { apply } = Reflect;
export const { slice: sliceArray } = Array.prototype;
export const { slice: sliceString } = String.prototype;
export const { toString: numberToString } = Number.prototype;
export const textOf: (this: unknown) => string = Function.prototype.toString;

/** `method.call(self, ...args)`. */
export const call = Function.prototype.call.bind(Function.prototype.call) as <T, A extends unknown[], R>(
  method: (this: T, ...args: A) => R,
  self: T,
  ...args: A
) => R;

const { exec } = RegExp.prototype;

/** `pattern.test(text)`, which would look up `exec`. */
export const matches = (pattern: RegExp, text: string): boolean => call(exec, pattern, text) !== null;

const { getOwnPropertySymbols } = Object;
const description = getOwnPropertyDescriptor(Symbol.prototype, "description")?.get as (this: symbol) => string;

/** The symbol, with this description, of an object's own property. */
export function ownSymbol(object: object, name: string): symbol | undefined {
  const symbols = getOwnPropertySymbols(object);
  for (let i = 0; i < symbols.length; i++) {
    if (call(description, symbols[i] as symbol) === name) return symbols[i];
  }
  return undefined;
}

const clock = globalThis.performance;
const { now: performanceNow } = clock;

/** performance.now() */
export const now = (): number => call(performanceNow, clock);

/** A class with the methods as its own. */
function safe<C extends new (...args: never[]) => object>(Class: C): C {
  const Safe = class extends (Class as unknown as new () => object) {};
  Object.defineProperties(Safe.prototype, Object.getOwnPropertyDescriptors(Class.prototype));
  return Safe as unknown as C;
}

/** A constructor that is not written down would spread its arguments, by Array.prototype's iterator. */
export class SafeAsyncResource extends AsyncResource {
  constructor(type: string) {
    super(type);
  }
}
Object.defineProperties(SafeAsyncResource.prototype, Object.getOwnPropertyDescriptors(AsyncResource.prototype));
export const SafeMap = safe(Map);
export const SafeSet = safe(Set);
export const SafeWeakMap = safe(WeakMap);
export const SafeWeakSet = safe(WeakSet);
