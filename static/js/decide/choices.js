/**
 * What a reader chose for a finished run: prices per hour, the uplink, the run to compare with.
 * The address says it, so that a link shows the same; what it leaves open is remembered here.
 *
 * @typedef {Record<string, number>} Prices   per hour, by backend; 0: no price
 * @typedef {[number, number]} Range            the least and the most, of the config
 */

import { typedNumber } from "../format.js";

/** @param {Range} range */
export const priceWords = ([low, high]) =>
  `A price per hour must be a number from ${low} to below ${high.toLocaleString("en")}, for example 0.35.`;

/** @param {Range} range */
export const uplinkWords = ([low, high]) => `An uplink must be from ${low} to ${high.toLocaleString("en")} Mbit/s.`;

/** @param {string} text @param {Range} range @returns {?number} null: not a price */
export function priceFrom(text, range) {
  const price = typedNumber(text);
  return isPrice(price, range) ? price : null;
}

/** The uplink of a field, as the server takes it; "" where it is not one. @param {string} text @param {Range} range */
export function uplinkFrom(text, [low, high]) {
  const mbitS = typedNumber(text);
  return mbitS !== null && mbitS >= low && mbitS <= high ? String(mbitS) : "";
}

/**
 * Prices of the address, else the remembered ones; only those of backends of this run.
 * @param {URLSearchParams} query @param {?Prices} remembered @param {string[]} names @param {Range} range
 * @returns {Prices}
 */
export function typedPrices(query, remembered, names, range) {
  const found = query.has("price") ? pricesOf(query, range) : remembered || {};
  return Object.fromEntries(Object.entries(found).filter(([name, price]) => names.includes(name) && isPrice(price, range)));
}

const isPrice = (price, [low, high]) => typeof price === "number" && price >= low && price < high;

/** @param {URLSearchParams} query @param {Range} range @returns {Prices} */
function pricesOf(query, range) {
  const pairs = query.getAll("price").map((text) => {
    const colon = text.lastIndexOf(":"); // names may hold one, prices don't
    return [text.slice(0, colon), priceFrom(text.slice(colon + 1), range)];
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

/** Puts choices into the page's address. @param {Parameters<typeof withChoices>[1]} choices */
export function writeChoices(choices) {
  const text = withChoices(location.search, choices);
  history.replaceState(null, "", location.pathname + (text ? `?${text}` : "") + location.hash);
}
