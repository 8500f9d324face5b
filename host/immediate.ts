// setImmediate as it was when the program began: tests put clocks of their own in its place, which may stand still.

export const { setImmediate } = globalThis;
