// Makes the methods of `Libc` from their prototypes. A binding supplies the ways to declare a function, and to pass a
// 64-bit number and an address.

import { type Functions, type Lent, PROTOTYPES, type Prototype, type Result, type Type } from "./prototypes.js";
import type { System } from "./system.js";

/** A function of the library, as the binding calls it. */
export type Native = (...args: unknown[]) => unknown;

export interface Binding {
  /** As in `Libc`. */
  readonly name: string;
  /** Declares a function; throws, or returns null, if the library has none of that name. */
  find(symbol: string, takes: readonly Type[], gives: Result): Native | null | undefined;
  /** The address of an offset into the core's memory, as a native function takes it; NULL for null. */
  at(offset: number | null): number | bigint;
  /** A number for a parameter of 64 bits. */
  wide(value: number): number | bigint;
  /** Replaces a function that the library lacks: errno is ENOSYS. */
  missing(): -1;
}

/** The functions that a binding needs on a system: method, symbol, prototype. */
export function wanted(binding: string, system: System["name"]) {
  const rows = Object.entries(PROTOTYPES) as [keyof Functions, Prototype<unknown>][];
  return rows
    .filter(([, { by, on }]) => (by?.includes(binding) ?? true) && (on?.includes(system) ?? true))
    .map(([name, prototype]) => ({ name, symbol: prototype.symbol ?? name, ...prototype }));
}

/** The wanted functions, each bound or `missing`. Functions of other systems are left out: they are never called. */
export function bind(binding: Binding, system: System["name"]): Functions {
  const lent = binding as unknown as Lent; // whose types tell the rows apart, and are no other values
  const functions: { [name: string]: unknown } = {};
  for (const { name, symbol, takes, gives, method } of wanted(binding.name, system)) {
    let native: Native | null | undefined;
    try {
      native = binding.find(symbol, takes, gives);
    } catch {}
    functions[name] = native == null ? binding.missing : method(native, lent);
  }
  return functions as unknown as Functions;
}
