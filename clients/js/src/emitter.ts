/** A function that takes an event's detail. */
export type Listener<Detail> = (detail: Detail) => void;

/** Typed events; `Events` maps each name to the type of its detail. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<Listener<never>>>();

  /**
   * Registers `listener` for every event of that name.
   *
   * @returns a function that removes it.
   */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    let listeners = this.#listeners.get(name);
    if (listeners === undefined) this.#listeners.set(name, (listeners = new Set()));
    listeners.add(listener);
    return () => this.off(name, listener);
  }

  /** Removes a listener. */
  off<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): void {
    this.#listeners.get(name)?.delete(listener);
  }

  /** Calls the listeners of `name`. An exception of one is reported, and the others are still called. */
  protected emit<Name extends keyof Events>(name: Name, detail: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])] as Listener<Events[Name]>[]) {
      try {
        listener(detail);
      } catch (error) {
        reportError(error);
      }
    }
  }
}
