/**
 * What a reader chose for a finished run: prices per hour, the uplink, the run to compare with.
 * The address says it, so that a link shows the same; what it leaves open is remembered here. Pure.
 *
 * @typedef {Record<string, number>} Prices   per hour, by backend; 0: no price
 */

const MOST_PRICE = 1e6; // as the server has it
const UPLINK_LIMITS_MBIT_S = [0.01, 100_000];
export const PRICE_WORDS = "A price per hour is a number from 0 to below 1,000,000, like 0.35.";
export const UPLINK_WORDS = "An uplink is a number of Mbit/s from 0.01 to 100,000.";

/** What stands before the first full stop that ends a sentence. @param {string} text */
export const firstSentence = (text) => text.match(/^.*?\.(?=\s|$)/)?.[0] || text;

/** A number as people type it, "0,35" too; null where it is none. @param {string} text */
export function typedNumber(text) {
  const plain = text.trim().replace(",", ".");
  return /^\d*\.?\d+$|^\d+\.$/.test(plain) ? Number(plain) : null;
}

/** @param {string} text @returns {?number} null: not a price */
export function priceFrom(text) {
  const price = typedNumber(text);
  return price !== null && price < MOST_PRICE ? price : null;
}

/** The uplink of a field, as the server takes it; "" where it is none. @param {string} text */
export function uplinkFrom(text) {
  const mbitS = typedNumber(text);
  const [least, most] = UPLINK_LIMITS_MBIT_S;
  return mbitS !== null && mbitS >= least && mbitS <= most ? String(mbitS) : "";
}

/**
 * Prices of the address, else the remembered ones; only those of backends of this run.
 * @param {URLSearchParams} query @param {?Prices} remembered @param {string[]} names @returns {Prices}
 */
export function typedPrices(query, remembered, names) {
  const found = query.has("price") ? pricesOf(query) : remembered || {};
  return Object.fromEntries(Object.entries(found).filter(([name, price]) => names.includes(name) && isPrice(price)));
}

const isPrice = (price) => typeof price === "number" && price >= 0 && price < MOST_PRICE;

/** @param {URLSearchParams} query @returns {Prices} */
function pricesOf(query) {
  const pairs = query.getAll("price").map((text) => {
    const colon = text.lastIndexOf(":"); // names may hold one, prices don't
    return [text.slice(0, colon), priceFrom(text.slice(colon + 1))];
  });
  return Object.fromEntries(pairs.filter(([name, price]) => name && price !== null));
}

/** The query of the computing route. @param {string} theme @param {Prices} prices @param {string} uplink */
export function computingQuery(theme, prices, uplink) {
  const query = new URLSearchParams({ theme });
  if (uplink) query.set("uplink", uplink);
  for (const [name, price] of Object.entries(prices)) query.append("price", `${name}:${price}`);
  return query.toString();
}

/**
 * The page's address with these choices, all else in it unchanged.
 * @param {string} search @param {{prices?: Prices, uplink?: string, compare?: string}} choices only these are changed
 */
export function withChoices(search, choices) {
  const query = new URLSearchParams(search);
  if (choices.prices) {
    query.delete("price");
    for (const [name, price] of Object.entries(choices.prices)) query.append("price", `${name}:${price}`);
  }
  for (const key of ["uplink", "compare"]) {
    if (choices[key] === undefined) continue;
    if (choices[key]) query.set(key, choices[key]);
    else query.delete(key);
  }
  return query.toString();
}
