/** Size of a stream's audio. */
export interface Size {
  /** Bytes that exist. */
  bytes: number;
  /** There will be no more. */
  complete: boolean;
}

const CONTENT_RANGE = /^bytes (?:\d+-(\d+)|\*)\/(\d+|\*)$/;

/**
 * Asks the server how much audio a stream has, by requesting its last byte (wire contract, section 5).
 *
 * @returns null if the server does not say.
 */
export async function measure(url: URL, signal: AbortSignal): Promise<Size | null> {
  try {
    const response = await fetch(url, { headers: { Range: "bytes=-1" }, cache: "no-store", signal });
    await response.body?.cancel();
    return response.status === 206 ? sizeOf(response.headers.get("Content-Range") ?? "") : null;
  } catch {
    return null; // It is not essential, and the playback reports a server that cannot be reached.
  }
}

/** Returns what `Content-Range` says (RFC 9110, section 14.4); null if it says nothing. */
export function sizeOf(contentRange: string): Size | null {
  const [, last, total] = CONTENT_RANGE.exec(contentRange) ?? [];
  if (total !== undefined && total !== "*") return { bytes: Number(total), complete: true };
  return last === undefined ? null : { bytes: Number(last) + 1, complete: false };
}
