/** A figure's table as CSV (RFC 4180). Pure. */

const FORMULA_STARTS = /^[=+\-@\t\r\n]/; // a spreadsheet takes a text that starts so for a formula

/** @param {{columns: string[], rows: any[][]}} table */
export function tableCsv({ columns, rows }) {
  return [columns, ...rows].map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";
}

function field(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const text = FORMULA_STARTS.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
