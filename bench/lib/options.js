// Options of the command line, checked.

/** A list, split by commas, of what is known. @param {string} option @param {string} value @param {string[]} known */
export function list(option, value, known) {
  const chosen = value.split(",");
  const stranger = chosen.find((item) => !known.includes(item));
  if (stranger !== undefined) throw new RangeError(`--${option} knows ${known.join(", ")} (got '${stranger}')`);
  return chosen;
}

/** A whole number of 1 to `most`. @param {string} option @param {string} text @param {number} most */
export function whole(option, text, most) {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new RangeError(`--${option} must be a whole number of 1 to ${most} (got '${text}')`);
}
