import { clientError, type AsfError } from "../errors.js";

/** Sources that the page's Content Security Policy has blocked: origins, and `blob`. */
const blocked = new Set<string>();
let isWatching = false;

/** Notes from now on what the page's Content Security Policy blocks of its audio: elements do not tell. */
export function watchPolicy(): void {
  if (isWatching || globalThis.document === undefined) return;
  isWatching = true;
  globalThis.document.addEventListener("securitypolicyviolation", ({ disposition, effectiveDirective, blockedURI }) => {
    if (disposition === "enforce" && effectiveDirective === "media-src") blocked.add(sourceOf(blockedURI));
  });
}

/** Returns the error of audio at `url`, if the page's Content Security Policy does not allow it; else null. */
export function policyError(url: string): AsfError | null {
  const source = sourceOf(url);
  if (!blocked.has(source)) return null;
  const allowed = source === "blob" ? "blob:" : source;
  const details = `The page's Content Security Policy does not allow it: add ${allowed} to media-src.`;
  return clientError("ASF_CLIENT_CONNECTION_FAILED", `The page may not play audio of ${allowed}.`, { details });
}

function sourceOf(url: string): string {
  if (url.startsWith("blob")) return "blob";
  try {
    return new URL(url).origin;
  } catch {
    return url; // Of an element without a source.
  }
}
