/** Distance of what is followed from the edges of the list, as a share of its height. */
const MARGIN = 0.2;

/** Where in the list something is scrolled to, as a share of its height. */
const PLACE = 0.3;

/** Scrolls a list to what is heard, until the user scrolls it. Never scrolls the page. */
export class Follower {
  readonly #list: HTMLElement;
  readonly #changed: (isFollowing: boolean) => void;
  #isFollowing = true;
  /** Where this has scrolled to. */
  #position = 0;

  /** @param changed is called when the user has scrolled, and when it follows again. */
  constructor(list: HTMLElement, changed: (isFollowing: boolean) => void) {
    this.#list = list;
    this.#changed = changed;
    list.addEventListener("scroll", () => this.#scrolled(), { passive: true });
  }

  get isFollowing(): boolean {
    return this.#isFollowing;
  }

  /** Follows again. */
  start(): void {
    this.#position = this.#list.scrollTop;
    this.#set(true);
  }

  /** Scrolls to a part of the list, if it is not well visible. */
  follow(part: HTMLElement): void {
    const list = this.#list;
    if (!this.#isFollowing || list.clientHeight === 0) return;
    const box = list.getBoundingClientRect();
    const { top, bottom } = part.getBoundingClientRect();
    const margin = MARGIN * box.height;
    const isTall = bottom - top > box.height - 2 * margin;
    if (top >= box.top + (isTall ? 0 : margin) && (isTall ? top : bottom) <= box.bottom - margin) return;
    list.scrollTop += top - box.top - PLACE * box.height;
    this.#position = list.scrollTop;
  }

  #scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#list;
    const isOwn = Math.abs(scrollTop - this.#position) < 2;
    // The list has become shorter.
    const isClamped = this.#position > scrollHeight - clientHeight;
    if (isClamped) this.#position = scrollTop;
    else if (!isOwn) this.#set(false);
  }

  #set(isFollowing: boolean): void {
    if (isFollowing === this.#isFollowing) return;
    this.#isFollowing = isFollowing;
    this.#changed(isFollowing);
  }
}
