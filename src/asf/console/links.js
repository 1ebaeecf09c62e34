/** Links to a stream: the console's address, with the stream's id. */

const PARAMETER = "stream";

/** Returns the stream that the page's address names; null for none. */
export function linkedStream() {
  return new URLSearchParams(location.search).get(PARAMETER) || null;
}

/** Returns the address of the console that names a stream. */
export function linkTo(streamId) {
  const link = new URL(location.pathname, location.origin);
  link.searchParams.set(PARAMETER, streamId);
  return link.href;
}

/** Lets the page's address name a stream, so that it can be bookmarked, and is the same after a reload. */
export function showInAddress(streamId) {
  if (linkedStream() !== streamId) history.replaceState(null, "", linkTo(streamId));
}

/** Copies a text, and returns whether that succeeded. Call it in a click. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // Only pages of HTTPS and of this machine have the clipboard.
  }
}

function copyBySelection(text) {
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "hidden";
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return copied;
}
