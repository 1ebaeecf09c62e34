/** Errors in mid-stream after which joining again, at the byte where it broke, is what a listener would do. */
const DELAYS_SECONDS: Readonly<Record<string, number>> = {
  ASF_LISTENER_TOO_SLOW: 0,
  ASF_TOO_MANY_LISTENERS: 1,
  ASF_DRAINING: 1,
  ASF_CATALOG_UNAVAILABLE: 1,
  ASF_INTERNAL_ERROR: 1,
};

const MOST_ATTEMPTS = 5;

/**
 * Returns after how many seconds to join again after an error with that code; null when it is final.
 *
 * @param attempts how many times that was tried since audio last came.
 */
export function retryDelay(code: string, attempts: number): number | null {
  const delay = DELAYS_SECONDS[code];
  if (delay === undefined || attempts >= MOST_ATTEMPTS) return null;
  return attempts === 0 ? delay : Math.max(delay, 1) * 2 ** (attempts - 1);
}
