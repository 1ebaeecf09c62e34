/** What is shown about a stream. All of it is text, whatever it contains. */
export interface About {
  title: string;
  artist: string;
  album: string;
  /** URL of the cover; empty for none. */
  artwork: string;
}

/** Names of the properties of a stream's `metadata`, the preferred one first. */
const NAMES: Readonly<Record<keyof About, readonly string[]>> = {
  title: ["title"],
  artist: ["artist", "author"],
  album: ["album", "show", "podcast"],
  artwork: ["artwork", "cover", "image"],
};

const MAX_CHARACTERS = 300;

/** Characters that could disturb the text around them: controls, and overrides of the direction. */
const DISTURBING = /[\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu;

/**
 * Returns what is shown about a stream: the overrides, else what its metadata says.
 *
 * @param metadata of `start_of_stream`: anything that a backend has sent.
 * @param base what relative URLs of covers are relative to.
 */
export function aboutOf(metadata: unknown, overrides: Partial<About>, base: string): About {
  const values = typeof metadata === "object" && metadata !== null ? (metadata as Record<string, unknown>) : {};
  const text = (key: "title" | "artist" | "album"): string => {
    const found = overrides[key] || NAMES[key].map((name) => values[name]).find((value) => typeof value === "string");
    return clean(typeof found === "string" ? found : "");
  };
  const covers = [overrides.artwork, ...NAMES.artwork.map((name) => values[name])];
  const artwork = covers.map((cover) => imageUrl(cover, base)).find((url) => url !== "") ?? "";
  return { title: text("title"), artist: text("artist"), album: text("album"), artwork };
}

/**
 * Returns the URL of a cover; empty if it is none. It is used as the source of an image only. Such URLs load a picture
 * from the Web, or contain one: no script runs, and no file of the listener is read.
 *
 * @param cover a URL, an object with a URL as `src` as in the Media Session API, or a list whose first item is one.
 */
export function imageUrl(cover: unknown, base: string): string {
  const first: unknown = Array.isArray(cover) ? cover[0] : cover;
  const source = typeof first === "object" && first !== null ? (first as { src?: unknown }).src : first;
  if (typeof source !== "string" || source.trim() === "") return "";
  try {
    const { protocol, href } = new URL(source, base);
    if (protocol === "http:" || protocol === "https:") return href;
    return /^data:image\//i.test(href) ? href : "";
  } catch {
    return "";
  }
}

function clean(text: string): string {
  const line = text.replace(DISTURBING, " ").trim();
  return line.length > MAX_CHARACTERS ? `${line.slice(0, MAX_CHARACTERS)}…` : line;
}
