interface Link {
  /** Offset at which it starts in the stream. */
  offset: number;
  /** Time of its start in the audio. */
  base: number;
  /** Its own time at its start; null before its first frame. */
  origin: number | null;
}

/**
 * Times of frames that carry their own, in seconds from the start of the audio.
 *
 * Audio may be several files one behind another ("links" in Ogg, RFC 3533, section 4), each of which restarts its own
 * times, and a recording may begin at any time of its own.
 */
export class LinkTimes {
  #links: Link[] = [];
  #link: Link | null = null;
  /** End of the last frame; after a restart about where the next one starts. */
  #end = 0;
  /** Whether the frames of the current link were seen from its start. */
  #fromStart = false;

  /** A link starts at `offset`. */
  begin(offset: number): void {
    this.#link = this.#links.find((link) => link.offset === offset) ?? null;
    this.#fromStart = true;
    if (this.#link !== null) return;
    this.#link = { offset, base: this.#end, origin: null };
    this.#links.push(this.#link);
    this.#links.sort((one, other) => one.offset - other.offset);
  }

  /** Returns the time of a frame that starts at `own` by its own time. */
  at(own: number, seconds: number): number {
    if (this.#link === null) this.begin(0);
    const link = this.#link!;
    link.origin ??= this.#fromStart ? own : 0;
    const time = Math.max(0, link.base + own - link.origin);
    this.#end = time + seconds;
    return time;
  }

  /** The next frame is found at or after `offset`, at about `seconds`. */
  restart(offset: number, seconds: number): void {
    this.#link = this.#links.filter((link) => link.offset <= offset).at(-1) ?? null;
    this.#end = seconds;
    this.#fromStart = this.#link === null;
  }
}
