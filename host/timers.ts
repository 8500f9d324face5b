// How long a timer may take.

/** In ms: timers take a 32-bit number of them. */
export const LONGEST = 0x7fffffff;
