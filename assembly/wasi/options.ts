// Reads the options. The environment comes first, for hosts without arguments; arguments override it.

import { args_get, args_sizes_get, environ_get, environ_sizes_get } from "./preview1";
import { byte, count, end, explain, quote, say, shout, size } from "./words";

export enum Option {
  Path,
  Offset,
  Count,
  Fd,
  Timeout,
  Deadline,
}
const OPTIONS: i32 = 6;

/** Arguments and environment stay here: pointers, then their texts, each with a NUL at its end. */
const CAPACITY: u32 = 192 << 10;
const ROOM: usize = memory.data(<i32>CAPACITY, 8);
let used: u32 = 0;

/** The value of each option: the address of a text, 0 for none. And a bit for each that an argument set. */
const TEXTS: usize = memory.data(OPTIONS * 4, 4);
let argued: i32 = 0;

const COUNT: usize = memory.data(4, 4);
const SIZE: usize = memory.data(4, 4);

/** Reads all options. Returns: false if one is invalid; the error was printed. */
export function read(): bool {
  return environment() && parameters() && (text(Option.Path) != 0 || usage());
}

/** The value of an option: the address of a text that ends with a NUL; 0 if it is not set. */
export function text(option: Option): usize {
  return load<u32>(TEXTS + ((<usize>option) << 2));
}

/** The number of an option, `fallback` if it is not set; −1 if it is invalid, and the error was printed. */
export function number(option: Option, fallback: i64, least: i64, most: i64): i64 {
  const digits = text(option);
  if (digits == 0) return fallback;
  let value: i64 = 0;
  for (let at = digits; value <= most; at++) {
    const digit = load<u8>(at);
    if (digit == 0 && at > digits && value >= least) return value;
    if (digit < 0x30 || digit > 0x39) break;
    value = value * 10 + (digit - 0x30);
  }
  say("sendoff: ");
  title(option);
  say(" must be an integer, ");
  count(least);
  say(" to ");
  count(most);
  say(", not ");
  quote(digits);
  end();
  return -1;
}

// The names of the options.

function name(option: Option): string {
  switch (option) {
    case Option.Offset:
      return "offset";
    case Option.Count:
      return "count";
    case Option.Fd:
      return "fd";
    case Option.Timeout:
      return "timeout";
    case Option.Deadline:
      return "deadline";
    default:
      return "path";
  }
}

/** As the user wrote it: --offset, or SENDOFF_OFFSET. */
function title(option: Option): void {
  if ((argued >> option) & 1) {
    say("--");
    say(name(option));
  } else {
    say("SENDOFF_");
    shout(name(option));
  }
}

// The two places of options.

function environment(): bool {
  const error = environ_sizes_get(COUNT, SIZE);
  const first = error == 0 ? room() : 0;
  if (first == 0) return unread("the environment", error);
  const last = first + (load<u32>(COUNT) << 2);
  const late = environ_get(first, last);
  if (late != 0) return unread("the environment", late);
  for (let at = first; at < last; at += 4) {
    const variable = after(load<u32>(at), "SENDOFF_", 0);
    if (variable == 0) continue;
    for (let option = 0; option < OPTIONS; option++) {
      const value = after(variable, name(option), 0x20);
      // An empty value counts as none.
      if (value != 0 && load<u8>(value) == 0x3d && load<u8>(value, 1) != 0) put(option, value + 1);
    }
  }
  return true;
}

function parameters(): bool {
  const error = args_sizes_get(COUNT, SIZE);
  const first = error == 0 ? room() : 0;
  if (first == 0) return unread("the arguments", error);
  const last = first + (load<u32>(COUNT) << 2);
  const late = args_get(first, last);
  if (late != 0) return unread("the arguments", late);
  let options = true; // until --
  for (let at = first + 4; at < last; at += 4) {
    const argument = load<u32>(at);
    const named = options ? after(argument, "--", 0) : 0;
    if (named == 0) {
      if (argued & 1 || load<u8>(argument) == 0) return wrong("unexpected argument ", argument);
      argue(Option.Path, argument);
    } else if (load<u8>(named) == 0) options = false;
    else {
      let option = OPTIONS - 1;
      let value: usize = 0;
      for (; option > Option.Path; option--) {
        value = after(named, name(option), 0);
        if (value != 0 && (load<u8>(value) == 0 || load<u8>(value) == 0x3d)) break;
      }
      if (option == Option.Path) return wrong("unknown option ", argument);
      if (load<u8>(value) == 0x3d) argue(option, value + 1);
      else if ((at += 4) < last) argue(option, load<u32>(at));
      else return wrong("a value is missing behind ", argument);
    }
  }
  return true;
}

/** Allocates COUNT pointers and SIZE bytes; 0 if there is no room. */
function room(): usize {
  const bytes = ((<u64>load<u32>(COUNT)) << 2) + load<u32>(SIZE);
  if (bytes > CAPACITY - used) return 0;
  const at = ROOM + used;
  used = (used + <u32>bytes + 3) & ~3;
  return at;
}

function put(option: Option, value: usize): void {
  store<u32>(TEXTS + ((<usize>option) << 2), <u32>value);
}

/** The last value counts. */
function argue(option: Option, value: usize): void {
  put(option, value);
  argued |= 1 << option;
}

/** The rest of a text after `words`, whose letters are lowered by `capital`; 0 if it begins otherwise. */
function after(text: usize, words: string, capital: u8): usize {
  for (let i = 0; i < size(words); i++, text++) {
    if (load<u8>(text) != byte(words, i) - capital) return 0;
  }
  return text;
}

// Errors.

function usage(): bool {
  say("sendoff: PATH is missing: sendoff PATH [--offset N] [--count N] [--fd N] [--timeout MS] [--deadline MS]");
  end();
  return false;
}

function wrong(words: string, argument: usize): bool {
  say("sendoff: ");
  say(words);
  quote(argument);
  end();
  return false;
}

/** The host does not provide it; or, without an error, there is no room for it. */
function unread(what: string, error: i32): bool {
  say("sendoff: ");
  say(what);
  say(": ");
  if (error != 0) explain(error);
  else {
    say("longer than ");
    count(CAPACITY);
    say(" bytes");
  }
  end();
  return false;
}
