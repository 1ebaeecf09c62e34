/** Errors in mid-stream after which joining again, at the byte where it broke, is what a listener would do. */
const DELAYS_SECONDS: Readonly<Record<string, number>> = {
  ASF_LISTENER_TOO_SLOW: 0,
  ASF_RATE_LIMITED: 1,
  ASF_TOO_MANY_LISTENERS: 1,
  ASF_DRAINING: 1,
  ASF_CATALOG_UNAVAILABLE: 1,
  ASF_INTERNAL_ERROR: 1,
};

const MOST_ATTEMPTS = 5;

/** A server may drain for a while before another one is there. */
const MOST_ATTEMPTS_WHILE_DRAINING = 12;

const LONGEST_DELAY_SECONDS = 8;

/**
 * Returns after how many seconds to join again after an error with that code; null when it is final.
 *
 * @param attempts how many times that was tried since audio last came.
 */
export function retryDelay(code: string, attempts: number): number | null {
  const delay = DELAYS_SECONDS[code];
  const most = code === "ASF_DRAINING" ? MOST_ATTEMPTS_WHILE_DRAINING : MOST_ATTEMPTS;
  if (delay === undefined || attempts >= most) return null;
  return attempts === 0 ? delay : Math.min(Math.max(delay, 1) * 2 ** (attempts - 1), LONGEST_DELAY_SECONDS);
}
