/** First delay before joining again, by error code. Other codes are final. */
const DELAYS_SECONDS: Readonly<Record<string, number>> = {
  ASF_LISTENER_TOO_SLOW: 0,
  ASF_RATE_LIMITED: 1,
  ASF_TOO_MANY_LISTENERS: 1,
  ASF_DRAINING: 1,
  ASF_CATALOG_UNAVAILABLE: 1,
  ASF_INTERNAL_ERROR: 1,
};

const MAX_ATTEMPTS = 5;

/** A server may drain for a while before its replacement is up. */
const MAX_ATTEMPTS_WHILE_DRAINING = 12;

const MAX_DELAY_SECONDS = 8;

/**
 * Returns the delay in seconds before joining again after that error; null if the error is final.
 *
 * @param attempts retries since audio last arrived.
 */
export function retryDelay(code: string, attempts: number): number | null {
  const delay = DELAYS_SECONDS[code];
  const limit = code === "ASF_DRAINING" ? MAX_ATTEMPTS_WHILE_DRAINING : MAX_ATTEMPTS;
  if (delay === undefined || attempts >= limit) return null;
  return attempts === 0 ? delay : Math.min(Math.max(delay, 1) * 2 ** (attempts - 1), MAX_DELAY_SECONDS);
}
