// Makes the methods of `Libc` of their prototypes, by what a binding knows: how a function is declared, and how a
// number of 64 bits and an address are handed over.

import { type Functions, type Lent, PROTOTYPES, type Prototype, type Result, type Type } from "./prototypes.js";
import type { System } from "./system.js";

/** A function of the library, as the binding calls it. */
export type Native = (...args: unknown[]) => unknown;

export interface Binding {
  /** As in `Libc`. */
  readonly name: string;
  /** Declares a function; throws, or returns null, where the library has none of that name. */
  find(symbol: string, takes: readonly Type[], gives: Result): Native | null | undefined;
  /** The address of an offset into the core's memory, as a native function takes it; NULL for null. */
  at(offset: number | null): number | bigint;
  /** A number for a parameter of 64 bits. */
  wide(value: number): number | bigint;
  /** Stands for a function that the library has not: errno is ENOSYS. */
  missing(): -1;
}

/** What a binding looks for on a system: the method, the symbol, the prototype. */
export function wanted(binding: string, system: System["name"]) {
  const rows = Object.entries(PROTOTYPES) as [keyof Functions, Prototype<unknown>][];
  return rows
    .filter(([, { by, on }]) => (by?.includes(binding) ?? true) && (on?.includes(system) ?? true))
    .map(([name, prototype]) => ({ name, symbol: prototype.symbol ?? name, ...prototype }));
}

/** Those that are wanted, each made or `missing`. What only another system has, the code for this one doesn't call. */
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
