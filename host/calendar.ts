// Dates as protocols and logs have them.

export const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Of minutes, say. */
export const twoDigits = (number: number): string => String(number).padStart(2, "0");
